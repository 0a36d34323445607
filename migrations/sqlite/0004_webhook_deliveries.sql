-- Webhooks without an account, repeated ones, and replays. The body comes last: a row's state is read without its pages.
CREATE TABLE kept_webhooks (
  id TEXT PRIMARY KEY,
  -- Null in quarantine: no account that is there was named.
  account_id TEXT REFERENCES channel_accounts (id),
  organization_id TEXT,
  -- In quarantine: the account that an event named, where the channel type was known.
  type TEXT,
  external_id TEXT,
  received_at INTEGER NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  -- The recipe that was checked; null where nothing was.
  verified_by TEXT,
  state TEXT NOT NULL,
  reason TEXT,
  plugin_digest TEXT,
  events INTEGER NOT NULL,
  processed_at INTEGER,
  -- How often the same request came while it waited, and when it last did.
  deliveries INTEGER NOT NULL DEFAULT 1,
  repeated_at INTEGER,
  -- What makes a request the same; null where it was processed at once.
  request_hash BLOB,
  query TEXT NOT NULL,
  headers TEXT NOT NULL,
  body BLOB NOT NULL
) STRICT;
INSERT INTO kept_webhooks
  (id, account_id, organization_id, received_at, method, path, state, reason, plugin_digest, events, processed_at, query, headers, body)
  SELECT w.id, w.account_id, a.organization_id, w.received_at, w.method, w.path, w.state, w.reason, w.plugin_digest, w.events,
         w.processed_at, w.query, w.headers, w.body
  FROM webhooks w JOIN channel_accounts a ON a.id = w.account_id;
DROP TABLE webhooks;
ALTER TABLE kept_webhooks RENAME TO webhooks;
CREATE INDEX webhooks_of_account ON webhooks (account_id, id);
CREATE INDEX webhooks_of_organization ON webhooks (organization_id, id);
CREATE INDEX webhooks_waiting ON webhooks (account_id, id) WHERE state IN ('held', 'failed');
CREATE INDEX webhooks_waiting_since ON webhooks (account_id, received_at) WHERE state IN ('held', 'failed');
CREATE UNIQUE INDEX webhooks_repeated ON webhooks (account_id, request_hash) WHERE state IN ('held', 'failed');
CREATE UNIQUE INDEX webhooks_ignored ON webhooks (account_id) WHERE state = 'ignored';
CREATE INDEX webhooks_quarantined ON webhooks (type, external_id, id) WHERE state = 'quarantined';

-- Replays of many that were asked for; the account's job does them one after another.
CREATE TABLE webhook_replays (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  -- Which ones: null for any.
  state TEXT,
  since INTEGER,
  until INTEGER NOT NULL,
  -- The last one that was done.
  after TEXT NOT NULL
) STRICT;
CREATE INDEX webhook_replays_of_account ON webhook_replays (account_id, id);

ALTER TABLE channel_accounts ADD COLUMN last_refused_at INTEGER;
