-- Written by a machine: kept and shown, and nothing is done because of it.
ALTER TABLE messages ADD COLUMN automatic INTEGER NOT NULL DEFAULT 0;

-- The provider said that nobody is there: none again once they write, or something reaches them.
ALTER TABLE contacts ADD COLUMN unreachable_at INTEGER;
ALTER TABLE contacts ADD COLUMN unreachable_reason TEXT;

-- Ids of messages that others name as earlier ones of their thread, and that aren't there: what comes under one joins the conversation.
CREATE TABLE thread_mentions (
  account_id TEXT NOT NULL REFERENCES channel_accounts (id),
  ref TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (account_id, ref)
) STRICT;
CREATE INDEX thread_mentions_of ON thread_mentions (conversation_id);
CREATE INDEX thread_mentions_by_end ON thread_mentions (until);
