-- What happened to an account and when. Kept for days, not for ever: nothing refers to it, and it refers to nothing that could
-- keep something else from being deleted.
CREATE TABLE account_logs (
  id TEXT PRIMARY KEY,
  organization_id TEXT NOT NULL,
  account_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  level TEXT NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  details TEXT NOT NULL,
  message_id TEXT,
  webhook_id TEXT,
  plugin_digest TEXT
) STRICT;
CREATE INDEX account_logs_of_account ON account_logs (account_id, at, id);
CREATE INDEX account_logs_of_organization ON account_logs (organization_id, at, id);
CREATE INDEX account_logs_at ON account_logs (at, id);

-- The results of health checks: each change, and one an hour where nothing changes.
CREATE TABLE account_health (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  ok INTEGER NOT NULL,
  checks TEXT NOT NULL
) STRICT;
CREATE INDEX account_health_of_account ON account_health (account_id, at, id);
CREATE INDEX account_health_at ON account_health (at, id);
