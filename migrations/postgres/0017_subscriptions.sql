-- Devices and browsers that take notifications.
CREATE TABLE subscriptions (
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  -- The plugin's: the same for the same endpoint.
  id TEXT COLLATE "C" NOT NULL,
  organization_id TEXT COLLATE "C" NOT NULL,
  contact_id TEXT COLLATE "C",
  -- The endpoint and its keys under the account's data key: whoever has them can push.
  sealed BYTEA NOT NULL,
  -- Of the endpoint, for people.
  host TEXT COLLATE "C" NOT NULL,
  extras JSONB NOT NULL,
  created_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, id)
);
CREATE INDEX subscriptions_by_id ON subscriptions (id);
CREATE INDEX subscriptions_by_contact ON subscriptions (contact_id);
CREATE INDEX subscriptions_by_time ON subscriptions (account_id, created_at, id);

-- A message to subscribers names its recipient by any of his ids, whatever its scheme.
CREATE INDEX contact_identities_by_value ON contact_identities (account_id, value);

-- What was done with a message that is a notification.
ALTER TABLE messages ADD COLUMN interactions JSONB NOT NULL DEFAULT '[]';
-- When first; for the statistics.
ALTER TABLE messages ADD COLUMN opened_at BIGINT;
ALTER TABLE messages ADD COLUMN dismissed_at BIGINT;
