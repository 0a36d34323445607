-- Devices and browsers that take notifications.
CREATE TABLE subscriptions (
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  -- The plugin's: the same for the same endpoint.
  id TEXT NOT NULL,
  organization_id TEXT NOT NULL,
  contact_id TEXT,
  -- The endpoint and its keys under the account's data key: whoever has them can push.
  sealed BLOB NOT NULL,
  -- Of the endpoint, for people.
  host TEXT NOT NULL,
  extras TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, id)
) STRICT;
CREATE INDEX subscriptions_by_id ON subscriptions (id);
CREATE INDEX subscriptions_by_contact ON subscriptions (contact_id);
CREATE INDEX subscriptions_by_time ON subscriptions (account_id, created_at, id);

-- A message to subscribers names its recipient by any of his ids, whatever its scheme.
CREATE INDEX contact_identities_by_value ON contact_identities (account_id, value);

-- What was done with a message that is a notification.
ALTER TABLE messages ADD COLUMN interactions TEXT NOT NULL DEFAULT '[]';
-- When first; for the statistics.
ALTER TABLE messages ADD COLUMN opened_at INTEGER;
ALTER TABLE messages ADD COLUMN dismissed_at INTEGER;
