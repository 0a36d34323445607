-- Subscribers: a URL that gets signed webhooks, or the operator's NATS.
CREATE TABLE endpoints (
  id TEXT COLLATE "C" PRIMARY KEY,
  -- None: the operator's, for all organisations.
  organization_id TEXT COLLATE "C" REFERENCES organizations (id),
  kind TEXT COLLATE "C" NOT NULL,
  url TEXT COLLATE "C",
  description TEXT COLLATE "C" NOT NULL,
  -- Types and families of types; empty for all.
  event_types JSONB NOT NULL,
  -- One account's events alone.
  account_id TEXT COLLATE "C",
  is_active BOOLEAN NOT NULL,
  disabled_at BIGINT,
  disabled_reason TEXT COLLATE "C",
  -- The first failure since the last success.
  failing_since BIGINT,
  last_success_at BIGINT,
  last_error TEXT COLLATE "C",
  -- The endpoint's own data key, wrapped by the master key, and the signing secrets that it seals.
  data_key BYTEA,
  secret BYTEA,
  previous_secret BYTEA,
  -- Until when the previous secret signs along.
  previous_until BIGINT,
  -- Events up to this number are delivered, or have a row in endpoint_deliveries.
  cursor_seq BIGINT NOT NULL,
  -- One node serves an endpoint at a time.
  leased_until BIGINT,
  fence BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX endpoints_of_organization ON endpoints (organization_id, id);

-- What an endpoint is owed, and for a while what it got.
CREATE TABLE endpoint_deliveries (
  endpoint_id TEXT COLLATE "C" NOT NULL REFERENCES endpoints (id),
  event_seq BIGINT NOT NULL,
  event_id TEXT COLLATE "C" NOT NULL,
  event_type TEXT COLLATE "C" NOT NULL,
  -- Delivered one after another: a conversation, else an account.
  lane TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  attempts BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  last_status BIGINT,
  last_error TEXT COLLATE "C",
  last_attempt_at BIGINT,
  finished_at BIGINT,
  PRIMARY KEY (endpoint_id, event_seq)
);
-- Only the first of each lane waits; those behind it are held.
CREATE INDEX endpoint_deliveries_due ON endpoint_deliveries (endpoint_id, due_at, event_seq) WHERE state = 'waiting';
CREATE INDEX endpoint_deliveries_lane ON endpoint_deliveries (endpoint_id, lane, event_seq) WHERE state IN ('waiting', 'held');
CREATE INDEX endpoint_deliveries_delivered ON endpoint_deliveries (finished_at) WHERE state = 'delivered';
CREATE INDEX endpoint_deliveries_failed ON endpoint_deliveries (finished_at) WHERE state = 'failed';
