-- The process that runs on this database. Its row is written anew with each heartbeat, taken away by a stop.
CREATE TABLE nodes (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  address TEXT NOT NULL,
  roles TEXT NOT NULL,
  version TEXT NOT NULL,
  -- What runs there for each channel type.
  plugins TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT;

-- A data key that nothing is sealed with: only the master key of this database opens it. One row.
CREATE TABLE master_key_check (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  wrapped BLOB NOT NULL,
  made_at INTEGER NOT NULL
) STRICT;

-- Whose claim it is: a node that is started again after a crash takes up at once what it was doing.
ALTER TABLE account_jobs ADD COLUMN leased_by TEXT;
