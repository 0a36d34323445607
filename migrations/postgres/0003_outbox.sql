-- When the message first could go: from then on it holds its place in its lane, however often it has to wait.
ALTER TABLE outbox ADD COLUMN ready_at BIGINT NOT NULL DEFAULT 0;
UPDATE outbox SET ready_at = due_at WHERE fence = 0;

DROP INDEX outbox_due;
DROP INDEX outbox_parked;
DROP INDEX outbox_lane;
DROP INDEX outbox_of_account;
-- Accounts with something to send, and the next of each.
CREATE INDEX outbox_ready ON outbox (account_id, priority, due_at, seq) WHERE leased_until IS NULL AND parked IS NULL;
CREATE INDEX outbox_expiry ON outbox (expires_at) WHERE leased_until IS NULL;
CREATE INDEX outbox_lane ON outbox (lane, priority, seq);
CREATE INDEX outbox_lane_leased ON outbox (lane) WHERE leased_until IS NOT NULL;
CREATE INDEX outbox_of_account ON outbox (account_id, seq);

-- One row for each rate of an account or a conversation: the time at which its allowance is whole again.
CREATE TABLE rate_limits (
  key TEXT COLLATE "C" PRIMARY KEY,
  tat BIGINT NOT NULL
);
CREATE INDEX rate_limits_tat ON rate_limits (tat);

-- The provider asked for a pause: nothing of the account goes before it is over.
CREATE TABLE account_pauses (
  account_id TEXT COLLATE "C" PRIMARY KEY REFERENCES channel_accounts (id),
  paused_until BIGINT NOT NULL,
  reason TEXT COLLATE "C" NOT NULL
);

-- Failures one after another at a host of the provider. Open from `open_until` being set; past that time one message probes.
CREATE TABLE breakers (
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  host TEXT COLLATE "C" NOT NULL,
  failures BIGINT NOT NULL,
  open_until BIGINT,
  probe_until BIGINT,
  reason TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (account_id, host)
);

CREATE INDEX messages_dead_of_account ON messages (account_id, id)
  WHERE direction = 'outbound' AND state IN ('failed', 'expired', 'uncertain', 'partially_sent');
CREATE INDEX messages_dead_of_organization ON messages (organization_id, id)
  WHERE direction = 'outbound' AND state IN ('failed', 'expired', 'uncertain', 'partially_sent');

-- Answers to requests that came with an Idempotency-Key; without a status the request is being worked on.
CREATE TABLE idempotency_keys (
  owner TEXT COLLATE "C" NOT NULL,
  route TEXT COLLATE "C" NOT NULL,
  key TEXT COLLATE "C" NOT NULL,
  -- Of the request; none while an upload is still coming in.
  fingerprint BYTEA,
  -- Whose reservation it is.
  holder TEXT COLLATE "C" NOT NULL,
  locked_until BIGINT NOT NULL,
  status BIGINT,
  headers JSONB NOT NULL,
  body BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (owner, route, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
