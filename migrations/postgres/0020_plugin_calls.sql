-- Calls of plugins that failed, with everything that is needed to run them again, and without secrets. Kept as long as the accounts'
-- logs, and so many of each version: nothing refers to a row, and it refers to nothing.
CREATE TABLE plugin_calls (
  id TEXT COLLATE "C" PRIMARY KEY,
  at BIGINT NOT NULL,
  type TEXT COLLATE "C" NOT NULL,
  version TEXT COLLATE "C" NOT NULL,
  digest TEXT COLLATE "C" NOT NULL,
  account_id TEXT COLLATE "C",
  organization_id TEXT COLLATE "C",
  hook TEXT COLLATE "C" NOT NULL,
  outcome TEXT COLLATE "C" NOT NULL,
  text TEXT COLLATE "C" NOT NULL,
  size BIGINT NOT NULL,
  -- JSON, as it was written: nobody looks into it here.
  record TEXT COLLATE "C" NOT NULL
);
CREATE INDEX plugin_calls_of_version ON plugin_calls (type, version, id);
CREATE INDEX plugin_calls_of_account ON plugin_calls (account_id, id);
CREATE INDEX plugin_calls_at ON plugin_calls (at, id);
