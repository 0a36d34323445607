-- Times are microseconds since 1970 UTC. Ids are UUIDv7 text, so that they sort by the time they were made.

CREATE TABLE organizations (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- A key without an organisation is the operator's: it sees all of them.
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  organization_id TEXT REFERENCES organizations (id),
  name TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  prefix TEXT NOT NULL,
  scope TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
) STRICT;

CREATE TABLE channel_accounts (
  id TEXT PRIMARY KEY,
  organization_id TEXT NOT NULL REFERENCES organizations (id),
  type TEXT NOT NULL,
  name TEXT NOT NULL,
  settings TEXT NOT NULL,
  is_active INTEGER NOT NULL,
  connection TEXT NOT NULL,
  reason_code TEXT,
  reason TEXT,
  user_action TEXT,
  external_id TEXT,
  display_name TEXT,
  facts TEXT NOT NULL,
  -- What the plugin keeps between the steps of its connect dialogue.
  connect_state BLOB,
  -- What the dialogue last asked of the user: questions, a code to scan.
  connect_prompt TEXT,
  -- The account's own data key, wrapped by the master key.
  data_key BLOB NOT NULL,
  health TEXT,
  health_at INTEGER,
  webhook_refusals INTEGER NOT NULL,
  poll_cursor BLOB,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  connected_at INTEGER,
  deleted_at INTEGER
) STRICT;
CREATE INDEX channel_accounts_of_organization ON channel_accounts (organization_id, id) WHERE deleted_at IS NULL;
-- One bot, number or page is one account: two would take each other's webhooks.
CREATE UNIQUE INDEX channel_accounts_external ON channel_accounts (type, external_id) WHERE external_id IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE account_secrets (
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  name TEXT NOT NULL,
  sealed BLOB NOT NULL,
  last4 TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, name)
) STRICT;

-- Work that repeats for an account (polling, health): who does it now, and when it is due.
CREATE TABLE account_jobs (
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  job TEXT NOT NULL,
  due_at INTEGER NOT NULL,
  leased_until INTEGER,
  fence INTEGER NOT NULL,
  PRIMARY KEY (account_id, job)
) STRICT;
CREATE INDEX account_jobs_due ON account_jobs (due_at);

CREATE TABLE webhooks (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  received_at INTEGER NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  query TEXT NOT NULL,
  headers TEXT NOT NULL,
  body BLOB NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  plugin_digest TEXT,
  events INTEGER NOT NULL,
  processed_at INTEGER
) STRICT;
CREATE INDEX webhooks_open ON webhooks (account_id, state, id) WHERE state <> 'processed';

CREATE TABLE contacts (
  id TEXT PRIMARY KEY,
  organization_id TEXT NOT NULL,
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  name TEXT,
  opted_out_at INTEGER,
  opted_out_reason TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX contacts_of_organization ON contacts (organization_id, id);
CREATE INDEX contacts_of_account ON contacts (account_id, id);

CREATE TABLE contact_identities (
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  scheme TEXT NOT NULL,
  value TEXT NOT NULL,
  contact_id TEXT NOT NULL REFERENCES contacts (id),
  PRIMARY KEY (account_id, scheme, value)
) STRICT;
CREATE INDEX contact_identities_of_contact ON contact_identities (contact_id);

CREATE TABLE conversations (
  id TEXT PRIMARY KEY,
  organization_id TEXT NOT NULL,
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  external_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  title TEXT,
  contact_id TEXT REFERENCES contacts (id),
  reply_context BLOB,
  last_message_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (account_id, external_id)
) STRICT;

CREATE INDEX conversations_of_organization ON conversations (organization_id, last_message_at, id);
CREATE INDEX conversations_of_account ON conversations (account_id, last_message_at, id);

CREATE TABLE messages (
  id TEXT PRIMARY KEY,
  organization_id TEXT NOT NULL,
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  conversation_id TEXT REFERENCES conversations (id),
  contact_id TEXT REFERENCES contacts (id),
  direction TEXT NOT NULL,
  -- `message`, or what else was asked: react, edit, delete, typing, mark_read, custom.
  kind TEXT NOT NULL,
  recipient TEXT,
  external_id TEXT,
  command TEXT,
  content TEXT NOT NULL,
  origin TEXT,
  echo INTEGER NOT NULL,
  reply_to TEXT,
  reactions TEXT NOT NULL,
  votes TEXT NOT NULL,
  extras TEXT NOT NULL,
  state TEXT NOT NULL,
  failure TEXT,
  attempts INTEGER NOT NULL,
  provider_at INTEGER,
  send_at INTEGER,
  expires_at INTEGER,
  sent_at INTEGER,
  delivered_at INTEGER,
  read_at INTEGER,
  played_at INTEGER,
  failed_at INTEGER,
  edited_at INTEGER,
  deleted_at INTEGER,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX messages_of_account ON messages (account_id, id);
CREATE INDEX messages_of_organization ON messages (organization_id, id);
CREATE INDEX messages_of_conversation ON messages (conversation_id, id);
CREATE INDEX messages_of_contact ON messages (contact_id, id);

-- Every id by which the provider may speak of a message: one for each part, a poll's id.
CREATE TABLE message_refs (
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  ref TEXT NOT NULL,
  message_id TEXT NOT NULL REFERENCES messages (id),
  part INTEGER NOT NULL,
  PRIMARY KEY (account_id, ref)
) STRICT;
CREATE INDEX message_refs_of_message ON message_refs (message_id);
CREATE INDEX message_refs_ref ON message_refs (ref);

CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id TEXT NOT NULL UNIQUE REFERENCES messages (id),
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  -- Sent one after another: a conversation.
  lane TEXT NOT NULL,
  priority INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  leased_until INTEGER,
  -- Rises with every claim: a worker whose lease ran out can't settle what another has taken.
  fence INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  -- Why it waits for something else than time.
  parked TEXT
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at) WHERE leased_until IS NULL AND parked IS NULL;
CREATE INDEX outbox_parked ON outbox (expires_at) WHERE parked IS NOT NULL;
CREATE INDEX outbox_leased ON outbox (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX outbox_lane ON outbox (lane, seq);
CREATE INDEX outbox_of_account ON outbox (account_id);

CREATE TABLE attempts (
  message_id TEXT NOT NULL REFERENCES messages (id),
  fence INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  -- Set before the first byte may leave: a crash after it leaves the outcome uncertain.
  dispatched_at INTEGER,
  finished_at INTEGER,
  outcome TEXT,
  failure TEXT,
  plugin_digest TEXT,
  PRIMARY KEY (message_id, fence)
) STRICT;

-- What is told to those who listen; `seq` is the place to resume from.
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  organization_id TEXT NOT NULL,
  account_id TEXT NOT NULL,
  type TEXT NOT NULL,
  -- The provider's fact that it tells of: stored once for each account, however often it is delivered.
  dedupe_key TEXT,
  conversation_id TEXT,
  message_id TEXT,
  data TEXT NOT NULL,
  occurred_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX events_of_organization ON events (organization_id, seq);
CREATE INDEX events_of_account ON events (account_id, seq);
CREATE UNIQUE INDEX events_dedupe ON events (account_id, dedupe_key) WHERE dedupe_key IS NOT NULL;

CREATE TABLE kv (
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  key TEXT NOT NULL,
  value BLOB NOT NULL,
  version INTEGER NOT NULL,
  expires_at INTEGER,
  PRIMARY KEY (account_id, key)
) STRICT;
CREATE INDEX kv_expired ON kv (expires_at) WHERE expires_at IS NOT NULL;

-- Content-addressed: a digest names one component for ever. What failed its checks has no component, only the reason.
CREATE TABLE plugin_versions (
  digest TEXT PRIMARY KEY,
  type TEXT,
  version TEXT,
  manifest TEXT,
  component BLOB,
  size INTEGER NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  source TEXT NOT NULL,
  installed_at INTEGER NOT NULL
) STRICT;

-- Desired state: every node, and every start, comes to it.
CREATE TABLE plugin_actives (
  type TEXT PRIMARY KEY,
  digest TEXT NOT NULL REFERENCES plugin_versions (digest),
  previous_digest TEXT REFERENCES plugin_versions (digest),
  generation INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;

CREATE TABLE media (
  id TEXT PRIMARY KEY,
  organization_id TEXT NOT NULL,
  file_name TEXT,
  mime_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- Files of the provider that were fetched once and are kept.
CREATE TABLE fetched_media (
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  provider_ref TEXT NOT NULL,
  blob_id TEXT NOT NULL,
  fetched_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, provider_ref)
) STRICT;
