-- Times are microseconds since 1970 UTC. Ids are UUIDv7 text, so that they sort by the time they were made.

CREATE TABLE organizations (
  id TEXT COLLATE "C" PRIMARY KEY,
  name TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL
);

-- A key without an organisation is the operator's: it sees all of them.
CREATE TABLE api_keys (
  id TEXT COLLATE "C" PRIMARY KEY,
  organization_id TEXT COLLATE "C" REFERENCES organizations (id),
  name TEXT COLLATE "C" NOT NULL,
  hash BYTEA NOT NULL UNIQUE,
  prefix TEXT COLLATE "C" NOT NULL,
  scope TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT
);

CREATE TABLE channel_accounts (
  id TEXT COLLATE "C" PRIMARY KEY,
  organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
  type TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  settings JSONB NOT NULL,
  is_active BOOLEAN NOT NULL,
  connection TEXT COLLATE "C" NOT NULL,
  reason_code TEXT COLLATE "C",
  reason TEXT COLLATE "C",
  user_action TEXT COLLATE "C",
  external_id TEXT COLLATE "C",
  display_name TEXT COLLATE "C",
  facts JSONB NOT NULL,
  -- What the plugin keeps between the steps of its connect dialogue.
  connect_state BYTEA,
  -- What the dialogue last asked of the user: questions, a code to scan.
  connect_prompt JSONB,
  -- The account's own data key, wrapped by the master key.
  data_key BYTEA NOT NULL,
  health JSONB,
  health_at BIGINT,
  webhook_refusals BIGINT NOT NULL,
  poll_cursor BYTEA,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  connected_at BIGINT,
  deleted_at BIGINT
);
CREATE INDEX channel_accounts_of_organization ON channel_accounts (organization_id, id) WHERE deleted_at IS NULL;
-- One bot, number or page is one account: two would take each other's webhooks.
CREATE UNIQUE INDEX channel_accounts_external ON channel_accounts (type, external_id) WHERE external_id IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE account_secrets (
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  name TEXT COLLATE "C" NOT NULL,
  sealed BYTEA NOT NULL,
  last4 TEXT COLLATE "C" NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, name)
);

-- Work that repeats for an account (polling, health): who does it now, and when it is due.
CREATE TABLE account_jobs (
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  job TEXT COLLATE "C" NOT NULL,
  due_at BIGINT NOT NULL,
  leased_until BIGINT,
  fence BIGINT NOT NULL,
  PRIMARY KEY (account_id, job)
);
CREATE INDEX account_jobs_due ON account_jobs (due_at);

CREATE TABLE webhooks (
  id TEXT COLLATE "C" PRIMARY KEY,
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  received_at BIGINT NOT NULL,
  method TEXT COLLATE "C" NOT NULL,
  path TEXT COLLATE "C" NOT NULL,
  query JSONB NOT NULL,
  headers JSONB NOT NULL,
  body BYTEA NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  reason TEXT COLLATE "C",
  plugin_digest TEXT COLLATE "C",
  events BIGINT NOT NULL,
  processed_at BIGINT
);
CREATE INDEX webhooks_open ON webhooks (account_id, state, id) WHERE state <> 'processed';

CREATE TABLE contacts (
  id TEXT COLLATE "C" PRIMARY KEY,
  organization_id TEXT COLLATE "C" NOT NULL,
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  name TEXT COLLATE "C",
  opted_out_at BIGINT,
  opted_out_reason TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE INDEX contacts_of_organization ON contacts (organization_id, id);
CREATE INDEX contacts_of_account ON contacts (account_id, id);

CREATE TABLE contact_identities (
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  scheme TEXT COLLATE "C" NOT NULL,
  value TEXT COLLATE "C" NOT NULL,
  contact_id TEXT COLLATE "C" NOT NULL REFERENCES contacts (id),
  PRIMARY KEY (account_id, scheme, value)
);
CREATE INDEX contact_identities_of_contact ON contact_identities (contact_id);

CREATE TABLE conversations (
  id TEXT COLLATE "C" PRIMARY KEY,
  organization_id TEXT COLLATE "C" NOT NULL,
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  external_id TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  title TEXT COLLATE "C",
  contact_id TEXT COLLATE "C" REFERENCES contacts (id),
  reply_context BYTEA,
  last_message_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (account_id, external_id)
);

CREATE INDEX conversations_of_organization ON conversations (organization_id, last_message_at, id);
CREATE INDEX conversations_of_account ON conversations (account_id, last_message_at, id);

CREATE TABLE messages (
  id TEXT COLLATE "C" PRIMARY KEY,
  organization_id TEXT COLLATE "C" NOT NULL,
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  conversation_id TEXT COLLATE "C" REFERENCES conversations (id),
  contact_id TEXT COLLATE "C" REFERENCES contacts (id),
  direction TEXT COLLATE "C" NOT NULL,
  -- `message`, or what else was asked: react, edit, delete, typing, mark_read, custom.
  kind TEXT COLLATE "C" NOT NULL,
  recipient TEXT COLLATE "C",
  external_id TEXT COLLATE "C",
  command JSONB,
  content JSONB NOT NULL,
  origin TEXT COLLATE "C",
  echo BOOLEAN NOT NULL,
  reply_to TEXT COLLATE "C",
  reactions JSONB NOT NULL,
  votes JSONB NOT NULL,
  extras JSONB NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  failure JSONB,
  attempts BIGINT NOT NULL,
  provider_at BIGINT,
  send_at BIGINT,
  expires_at BIGINT,
  sent_at BIGINT,
  delivered_at BIGINT,
  read_at BIGINT,
  played_at BIGINT,
  failed_at BIGINT,
  edited_at BIGINT,
  deleted_at BIGINT,
  created_at BIGINT NOT NULL
);
CREATE INDEX messages_of_account ON messages (account_id, id);
CREATE INDEX messages_of_organization ON messages (organization_id, id);
CREATE INDEX messages_of_conversation ON messages (conversation_id, id);
CREATE INDEX messages_of_contact ON messages (contact_id, id);

-- Every id by which the provider may speak of a message: one for each part, a poll's id.
CREATE TABLE message_refs (
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  ref TEXT COLLATE "C" NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL REFERENCES messages (id),
  part BIGINT NOT NULL,
  PRIMARY KEY (account_id, ref)
);
CREATE INDEX message_refs_of_message ON message_refs (message_id);
CREATE INDEX message_refs_ref ON message_refs (ref);

CREATE TABLE outbox (
  seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_id TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES messages (id),
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  -- Sent one after another: a conversation.
  lane TEXT COLLATE "C" NOT NULL,
  priority BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  leased_until BIGINT,
  -- Rises with every claim: a worker whose lease ran out can't settle what another has taken.
  fence BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  -- Why it waits for something else than time.
  parked TEXT COLLATE "C"
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE leased_until IS NULL AND parked IS NULL;
CREATE INDEX outbox_parked ON outbox (expires_at) WHERE parked IS NOT NULL;
CREATE INDEX outbox_leased ON outbox (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX outbox_lane ON outbox (lane, seq);
CREATE INDEX outbox_of_account ON outbox (account_id);

CREATE TABLE attempts (
  message_id TEXT COLLATE "C" NOT NULL REFERENCES messages (id),
  fence BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  -- Set before the first byte may leave: a crash after it leaves the outcome uncertain.
  dispatched_at BIGINT,
  finished_at BIGINT,
  outcome TEXT COLLATE "C",
  failure JSONB,
  plugin_digest TEXT COLLATE "C",
  PRIMARY KEY (message_id, fence)
);

-- What is told to those who listen; `seq` is the place to resume from.
CREATE TABLE events (
  seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id TEXT COLLATE "C" NOT NULL UNIQUE,
  organization_id TEXT COLLATE "C" NOT NULL,
  account_id TEXT COLLATE "C" NOT NULL,
  type TEXT COLLATE "C" NOT NULL,
  -- The provider's fact that it tells of: stored once for each account, however often it is delivered.
  dedupe_key TEXT COLLATE "C",
  conversation_id TEXT COLLATE "C",
  message_id TEXT COLLATE "C",
  data JSONB NOT NULL,
  occurred_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX events_of_organization ON events (organization_id, seq);
CREATE INDEX events_of_account ON events (account_id, seq);
CREATE UNIQUE INDEX events_dedupe ON events (account_id, dedupe_key) WHERE dedupe_key IS NOT NULL;

CREATE TABLE kv (
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  key TEXT COLLATE "C" NOT NULL,
  value BYTEA NOT NULL,
  version BIGINT NOT NULL,
  expires_at BIGINT,
  PRIMARY KEY (account_id, key)
);
CREATE INDEX kv_expired ON kv (expires_at) WHERE expires_at IS NOT NULL;

-- Content-addressed: a digest names one component for ever. What failed its checks has no component, only the reason.
CREATE TABLE plugin_versions (
  digest TEXT COLLATE "C" PRIMARY KEY,
  type TEXT COLLATE "C",
  version TEXT COLLATE "C",
  manifest JSONB,
  component BYTEA,
  size BIGINT NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  reason TEXT COLLATE "C",
  source TEXT COLLATE "C" NOT NULL,
  installed_at BIGINT NOT NULL
);

-- Desired state: every node, and every start, comes to it.
CREATE TABLE plugin_actives (
  type TEXT COLLATE "C" PRIMARY KEY,
  digest TEXT COLLATE "C" NOT NULL REFERENCES plugin_versions (digest),
  previous_digest TEXT COLLATE "C" REFERENCES plugin_versions (digest),
  generation BIGINT NOT NULL,
  changed_at BIGINT NOT NULL,
  reason TEXT COLLATE "C" NOT NULL
);

CREATE TABLE media (
  id TEXT COLLATE "C" PRIMARY KEY,
  organization_id TEXT COLLATE "C" NOT NULL,
  file_name TEXT COLLATE "C",
  mime_type TEXT COLLATE "C" NOT NULL,
  size BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);

-- Files of the provider that were fetched once and are kept.
CREATE TABLE fetched_media (
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  provider_ref TEXT COLLATE "C" NOT NULL,
  blob_id TEXT COLLATE "C" NOT NULL,
  fetched_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, provider_ref)
);
