-- The processes that share this database. A row is its node's: written anew with each heartbeat, taken away by a stop.
CREATE TABLE nodes (
  id TEXT COLLATE "C" PRIMARY KEY,
  name TEXT COLLATE "C" NOT NULL,
  address TEXT COLLATE "C" NOT NULL,
  roles JSONB NOT NULL,
  version TEXT COLLATE "C" NOT NULL,
  -- What runs there for each channel type.
  plugins JSONB NOT NULL,
  started_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL
);

-- A data key that nothing is sealed with: only the master key of this database opens it. One row.
CREATE TABLE master_key_check (
  id BIGINT PRIMARY KEY CHECK (id = 1),
  wrapped BYTEA NOT NULL,
  made_at BIGINT NOT NULL
);

-- Whose claim it is: a node that is started again after a crash takes up at once what it was doing.
ALTER TABLE account_jobs ADD COLUMN leased_by TEXT COLLATE "C";
