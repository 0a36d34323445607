-- Webhooks without an account, repeated ones, and replays.
DROP INDEX webhooks_open;
-- Null in quarantine: no account that is there was named.
ALTER TABLE webhooks ALTER COLUMN account_id DROP NOT NULL;
ALTER TABLE webhooks ADD COLUMN organization_id TEXT COLLATE "C";
-- In quarantine: the account that an event named, where the channel type was known.
ALTER TABLE webhooks ADD COLUMN type TEXT COLLATE "C";
ALTER TABLE webhooks ADD COLUMN external_id TEXT COLLATE "C";
-- The recipe that was checked; null where nothing was.
ALTER TABLE webhooks ADD COLUMN verified_by TEXT COLLATE "C";
-- How often the same request came while it waited, and when it last did.
ALTER TABLE webhooks ADD COLUMN deliveries BIGINT NOT NULL DEFAULT 1;
ALTER TABLE webhooks ADD COLUMN repeated_at BIGINT;
-- What makes a request the same; null where it was processed at once.
ALTER TABLE webhooks ADD COLUMN request_hash BYTEA;
UPDATE webhooks w SET organization_id = (SELECT a.organization_id FROM channel_accounts a WHERE a.id = w.account_id);
CREATE INDEX webhooks_of_account ON webhooks (account_id, id);
CREATE INDEX webhooks_of_organization ON webhooks (organization_id, id);
CREATE INDEX webhooks_waiting ON webhooks (account_id, id) WHERE state IN ('held', 'failed');
CREATE INDEX webhooks_waiting_since ON webhooks (account_id, received_at) WHERE state IN ('held', 'failed');
CREATE UNIQUE INDEX webhooks_repeated ON webhooks (account_id, request_hash) WHERE state IN ('held', 'failed');
CREATE UNIQUE INDEX webhooks_ignored ON webhooks (account_id) WHERE state = 'ignored';
CREATE INDEX webhooks_quarantined ON webhooks (type, external_id, id) WHERE state = 'quarantined';

-- Replays of many that were asked for; the account's job does them one after another.
CREATE TABLE webhook_replays (
  id TEXT COLLATE "C" PRIMARY KEY,
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  -- Which ones: null for any.
  state TEXT COLLATE "C",
  since BIGINT,
  until BIGINT NOT NULL,
  -- The last one that was done.
  after TEXT COLLATE "C" NOT NULL
);
CREATE INDEX webhook_replays_of_account ON webhook_replays (account_id, id);

ALTER TABLE channel_accounts ADD COLUMN last_refused_at BIGINT;
