-- Where a file came from: upload, url, inbound.
ALTER TABLE media ADD COLUMN origin TEXT NOT NULL DEFAULT 'upload';
-- The last time that a message which sends it may need it; none where no message ever did.
ALTER TABLE media ADD COLUMN used_until INTEGER;
-- Set before the bytes go, so that a crash in between leaves none behind.
ALTER TABLE media ADD COLUMN removed_at INTEGER;
-- Of earlier uploads it isn't known: they count as used.
UPDATE media SET used_until = created_at;
CREATE INDEX media_unused ON media (created_at) WHERE used_until IS NULL;
CREATE INDEX media_used ON media (used_until) WHERE used_until IS NOT NULL;
CREATE INDEX media_removed ON media (removed_at) WHERE removed_at IS NOT NULL;

-- What was fetched on demand is fetched again by the worker's rules.
DROP TABLE fetched_media;

-- The files that came with messages: fetched once for each account, however many messages speak of one.
CREATE TABLE inbound_media (
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  -- A digest of the source: providers bound the length of neither ids nor URLs, an index does.
  key TEXT NOT NULL,
  source TEXT NOT NULL,
  organization_id TEXT NOT NULL,
  -- The message whose files are waited for.
  message_id TEXT NOT NULL,
  -- What the message says of it.
  mime_type TEXT,
  file_name TEXT,
  size INTEGER,
  -- pending, stored, failed, removed.
  state TEXT NOT NULL,
  failure TEXT,
  media_id TEXT,
  attempts INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  leased_until INTEGER,
  -- Rises with every claim: a worker whose lease ran out can't settle what another has taken.
  fence INTEGER NOT NULL,
  wanted_at INTEGER NOT NULL,
  -- The last message that spoke of it.
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, key)
) STRICT;
CREATE INDEX inbound_media_due ON inbound_media (due_at) WHERE state = 'pending';
CREATE INDEX inbound_media_of ON inbound_media (media_id) WHERE media_id IS NOT NULL;
