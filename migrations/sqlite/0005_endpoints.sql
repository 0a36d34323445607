-- Subscribers: a URL that gets signed webhooks, or the operator's NATS.
CREATE TABLE endpoints (
  id TEXT PRIMARY KEY,
  -- None: the operator's, for all organisations.
  organization_id TEXT REFERENCES organizations (id),
  kind TEXT NOT NULL,
  url TEXT,
  description TEXT NOT NULL,
  -- Types and families of types; empty for all.
  event_types TEXT NOT NULL,
  -- One account's events alone.
  account_id TEXT,
  is_active INTEGER NOT NULL,
  disabled_at INTEGER,
  disabled_reason TEXT,
  -- The first failure since the last success.
  failing_since INTEGER,
  last_success_at INTEGER,
  last_error TEXT,
  -- The endpoint's own data key, wrapped by the master key, and the signing secrets that it seals.
  data_key BLOB,
  secret BLOB,
  previous_secret BLOB,
  -- Until when the previous secret signs along.
  previous_until INTEGER,
  -- Events up to this number are delivered, or have a row in endpoint_deliveries.
  cursor_seq INTEGER NOT NULL,
  -- One node serves an endpoint at a time.
  leased_until INTEGER,
  fence INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX endpoints_of_organization ON endpoints (organization_id, id);

-- What an endpoint is owed, and for a while what it got.
CREATE TABLE endpoint_deliveries (
  endpoint_id TEXT NOT NULL REFERENCES endpoints (id),
  event_seq INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  -- Delivered one after another: a conversation, else an account.
  lane TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  last_status INTEGER,
  last_error TEXT,
  last_attempt_at INTEGER,
  finished_at INTEGER,
  PRIMARY KEY (endpoint_id, event_seq)
) STRICT;
-- Only the first of each lane waits; those behind it are held.
CREATE INDEX endpoint_deliveries_due ON endpoint_deliveries (endpoint_id, due_at, event_seq) WHERE state = 'waiting';
CREATE INDEX endpoint_deliveries_lane ON endpoint_deliveries (endpoint_id, lane, event_seq) WHERE state IN ('waiting', 'held');
CREATE INDEX endpoint_deliveries_delivered ON endpoint_deliveries (finished_at) WHERE state = 'delivered';
CREATE INDEX endpoint_deliveries_failed ON endpoint_deliveries (finished_at) WHERE state = 'failed';
