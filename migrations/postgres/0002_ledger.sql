-- What the provider told of one part of a message: the message itself stands where all of its parts do.
ALTER TABLE message_refs ADD COLUMN delivered_at BIGINT;
ALTER TABLE message_refs ADD COLUMN read_at BIGINT;
ALTER TABLE message_refs ADD COLUMN failed_at BIGINT;

-- Two contacts that turned out to be one person: the one says which it became.
ALTER TABLE contacts ADD COLUMN merged_into TEXT COLLATE "C" REFERENCES contacts (id);

-- Facts that came before the message that they speak of.
CREATE TABLE parked_facts (
  account_id TEXT COLLATE "C" NOT NULL REFERENCES channel_accounts (id),
  dedupe_key TEXT COLLATE "C" NOT NULL,
  ref TEXT COLLATE "C" NOT NULL,
  fact JSONB NOT NULL,
  until BIGINT NOT NULL,
  PRIMARY KEY (account_id, dedupe_key, ref)
);
CREATE INDEX parked_facts_ref ON parked_facts (account_id, ref);
CREATE INDEX parked_facts_until ON parked_facts (until);

-- An echo may tell that one of them arrived.
CREATE INDEX messages_uncertain ON messages (account_id, recipient) WHERE state = 'uncertain';
