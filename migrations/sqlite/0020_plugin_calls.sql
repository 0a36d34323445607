-- Calls of plugins that failed, with everything that is needed to run them again, and without secrets. Kept as long as the accounts'
-- logs, and so many of each version: nothing refers to a row, and it refers to nothing.
CREATE TABLE plugin_calls (
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  type TEXT NOT NULL,
  version TEXT NOT NULL,
  digest TEXT NOT NULL,
  account_id TEXT,
  organization_id TEXT,
  hook TEXT NOT NULL,
  outcome TEXT NOT NULL,
  text TEXT NOT NULL,
  size INTEGER NOT NULL,
  -- JSON, as it was written: nobody looks into it here.
  record TEXT NOT NULL
) STRICT;
CREATE INDEX plugin_calls_of_version ON plugin_calls (type, version, id);
CREATE INDEX plugin_calls_of_account ON plugin_calls (account_id, id);
CREATE INDEX plugin_calls_at ON plugin_calls (at, id);
