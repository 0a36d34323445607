-- What happened to an account and when. Kept for days, not for ever: nothing refers to it, and it refers to nothing that could
-- keep something else from being deleted.
CREATE TABLE account_logs (
  id TEXT COLLATE "C" PRIMARY KEY,
  organization_id TEXT COLLATE "C" NOT NULL,
  account_id TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  level TEXT COLLATE "C" NOT NULL,
  code TEXT COLLATE "C" NOT NULL,
  message TEXT COLLATE "C" NOT NULL,
  details JSONB NOT NULL,
  message_id TEXT COLLATE "C",
  webhook_id TEXT COLLATE "C",
  plugin_digest TEXT COLLATE "C"
);
CREATE INDEX account_logs_of_account ON account_logs (account_id, at, id);
CREATE INDEX account_logs_of_organization ON account_logs (organization_id, at, id);
CREATE INDEX account_logs_at ON account_logs (at, id);

-- The results of health checks: each change, and one an hour where nothing changes.
CREATE TABLE account_health (
  id TEXT COLLATE "C" PRIMARY KEY,
  account_id TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL,
  ok BOOLEAN NOT NULL,
  checks JSONB NOT NULL
);
CREATE INDEX account_health_of_account ON account_health (account_id, at, id);
CREATE INDEX account_health_at ON account_health (at, id);
