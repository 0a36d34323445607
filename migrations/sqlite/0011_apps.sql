-- The operator's registrations at providers, shared by many accounts.
CREATE TABLE apps (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  -- The channel types that it serves.
  types TEXT NOT NULL,
  client_id TEXT NOT NULL,
  settings TEXT NOT NULL,
  -- The app's own data key, wrapped by the master key.
  data_key BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER
) STRICT;

CREATE TABLE app_secrets (
  app_id TEXT NOT NULL REFERENCES apps (id),
  name TEXT NOT NULL,
  sealed BLOB NOT NULL,
  last4 TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (app_id, name)
) STRICT;

ALTER TABLE channel_accounts ADD COLUMN app_id TEXT REFERENCES apps (id);
-- When the access token from OAuth expires, as the provider told it; and how often a refresh has failed since one went right.
ALTER TABLE channel_accounts ADD COLUMN oauth_expires_at INTEGER;
ALTER TABLE channel_accounts ADD COLUMN oauth_failures INTEGER NOT NULL DEFAULT 0;
CREATE INDEX channel_accounts_of_app ON channel_accounts (app_id) WHERE app_id IS NOT NULL AND deleted_at IS NULL;

-- Other ids by which a provider means an account; several accounts may share one.
CREATE TABLE account_routes (
  channel_type TEXT NOT NULL,
  route TEXT NOT NULL,
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  PRIMARY KEY (channel_type, route, account_id)
) STRICT;
CREATE INDEX account_routes_of_account ON account_routes (account_id);

-- Authorisations that somebody began. What the browser and the provider carry is kept as hashes alone.
CREATE TABLE oauth_flows (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  app_id TEXT NOT NULL REFERENCES apps (id),
  ticket_hash BLOB NOT NULL UNIQUE,
  state_hash BLOB NOT NULL UNIQUE,
  -- The browser that opened it first; nobody else may go on with it.
  browser_hash BLOB,
  -- The PKCE verifier, sealed under the account's data key.
  verifier BLOB,
  redirect_uri TEXT NOT NULL,
  -- How the account stood, to go back there.
  stood TEXT NOT NULL,
  -- The account's tokens from before, sealed as they were: they come back where the new ones prove nothing.
  kept TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  -- The provider has sent the browser back: the state is used up.
  used_at INTEGER,
  -- Nothing comes any more.
  settled_at INTEGER,
  outcome TEXT
) STRICT;
CREATE INDEX oauth_flows_open ON oauth_flows (account_id) WHERE settled_at IS NULL;

-- Requests of people to have their data deleted, as the provider passed them on.
CREATE TABLE oauth_deletions (
  code TEXT PRIMARY KEY,
  app_id TEXT NOT NULL REFERENCES apps (id),
  accounts INTEGER NOT NULL,
  requested_at INTEGER NOT NULL,
  completed_at INTEGER
) STRICT;
