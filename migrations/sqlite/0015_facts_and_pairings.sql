-- What the channel tells of a message: before it is sent (how many parts it makes), and with the answer to it (what it cost).
ALTER TABLE messages ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';

-- Accounts that are being connected by a code to scan.
CREATE TABLE pairings (
  account_id TEXT PRIMARY KEY REFERENCES channel_accounts (id),
  -- The API key that began: the code is shown to it alone. None where nobody did.
  begun_by TEXT,
  begun_at INTEGER NOT NULL,
  -- Sealed under the account's data key; none once it has expired.
  code BLOB,
  expires_at INTEGER NOT NULL,
  refreshes_left INTEGER NOT NULL
) STRICT;
CREATE INDEX pairings_by_expiry ON pairings (expires_at) WHERE code IS NOT NULL;
