-- Written by a machine: kept and shown, and nothing is done because of it.
ALTER TABLE messages ADD COLUMN automatic BOOLEAN NOT NULL DEFAULT FALSE;

-- The provider said that nobody is there: none again once they write, or something reaches them.
ALTER TABLE contacts ADD COLUMN unreachable_at BIGINT;
ALTER TABLE contacts ADD COLUMN unreachable_reason TEXT COLLATE "C";

-- Ids of messages that others name as earlier ones of their thread, and that aren't there: what comes under one joins the conversation.
CREATE TABLE thread_mentions (
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  ref TEXT COLLATE "C" NOT NULL,
  conversation_id TEXT COLLATE "C" NOT NULL,
  until BIGINT NOT NULL,
  PRIMARY KEY (account_id, ref)
);
CREATE INDEX thread_mentions_of ON thread_mentions (conversation_id);
CREATE INDEX thread_mentions_by_end ON thread_mentions (until);
