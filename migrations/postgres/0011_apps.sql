-- The operator's registrations at providers, shared by many accounts.
CREATE TABLE apps (
  id TEXT COLLATE "C" PRIMARY KEY,
  name TEXT COLLATE "C" NOT NULL,
  -- The channel types that it serves.
  types JSONB NOT NULL,
  client_id TEXT COLLATE "C" NOT NULL,
  settings JSONB NOT NULL,
  -- The app's own data key, wrapped by the master key.
  data_key BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT
);

CREATE TABLE app_secrets (
  app_id TEXT COLLATE "C" NOT NULL REFERENCES apps (id),
  name TEXT COLLATE "C" NOT NULL,
  sealed BYTEA NOT NULL,
  last4 TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (app_id, name)
);

ALTER TABLE channel_accounts ADD COLUMN app_id TEXT COLLATE "C" REFERENCES apps (id);
-- When the access token from OAuth expires, as the provider told it; and how often a refresh has failed since one went right.
ALTER TABLE channel_accounts ADD COLUMN oauth_expires_at BIGINT;
ALTER TABLE channel_accounts ADD COLUMN oauth_failures BIGINT NOT NULL DEFAULT 0;
CREATE INDEX channel_accounts_of_app ON channel_accounts (app_id) WHERE app_id IS NOT NULL AND deleted_at IS NULL;

-- Other ids by which a provider means an account; several accounts may share one.
CREATE TABLE account_routes (
  channel_type TEXT COLLATE "C" NOT NULL,
  route TEXT COLLATE "C" NOT NULL,
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  PRIMARY KEY (channel_type, route, account_id)
);
CREATE INDEX account_routes_of_account ON account_routes (account_id);

-- Authorisations that somebody began. What the browser and the provider carry is kept as hashes alone.
CREATE TABLE oauth_flows (
  id TEXT COLLATE "C" PRIMARY KEY,
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  app_id TEXT COLLATE "C" NOT NULL REFERENCES apps (id),
  ticket_hash BYTEA NOT NULL UNIQUE,
  state_hash BYTEA NOT NULL UNIQUE,
  -- The browser that opened it first; nobody else may go on with it.
  browser_hash BYTEA,
  -- The PKCE verifier, sealed under the account's data key.
  verifier BYTEA,
  redirect_uri TEXT COLLATE "C" NOT NULL,
  -- How the account stood, to go back there.
  stood JSONB NOT NULL,
  -- The account's tokens from before, sealed as they were: they come back where the new ones prove nothing.
  kept JSONB,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  -- The provider has sent the browser back: the state is used up.
  used_at BIGINT,
  -- Nothing comes any more.
  settled_at BIGINT,
  outcome TEXT COLLATE "C"
);
CREATE INDEX oauth_flows_open ON oauth_flows (account_id) WHERE settled_at IS NULL;

-- Requests of people to have their data deleted, as the provider passed them on.
CREATE TABLE oauth_deletions (
  code TEXT COLLATE "C" PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL REFERENCES apps (id),
  accounts BIGINT NOT NULL,
  requested_at BIGINT NOT NULL,
  completed_at BIGINT
);
