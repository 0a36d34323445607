-- What the statistics keep with a message: with these its counts can be told from its row alone.
-- The plugin version with which it first counted.
ALTER TABLE messages ADD COLUMN plugin_digest TEXT COLLATE "C";
-- When its outcome became uncertain.
ALTER TABLE messages ADD COLUMN uncertain_at BIGINT;
ALTER TABLE messages ADD COLUMN starts_conversation BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE messages ADD COLUMN opens_episode BOOLEAN NOT NULL DEFAULT FALSE;
-- A reply: since when the other side waited for it.
ALTER TABLE messages ADD COLUMN answers_since BIGINT;
-- The first response of an episode: when that began.
ALTER TABLE messages ADD COLUMN responds_since BIGINT;

-- Since when the other side waits for a reply.
ALTER TABLE conversations ADD COLUMN waiting_since BIGINT;
-- When the episode began that had no response yet.
ALTER TABLE conversations ADD COLUMN episode_since BIGINT;
-- The latest message that counted, in or out.
ALTER TABLE conversations ADD COLUMN last_active_at BIGINT;
-- Those that are there have begun.
UPDATE conversations SET last_active_at = last_message_at;

-- Counts of an account in a quarter of an hour. `label` is the class of a failure or the bucket of a duration.
CREATE TABLE account_stats (
  account_id TEXT COLLATE "C" NOT NULL,
  slot BIGINT NOT NULL,
  metric TEXT COLLATE "C" NOT NULL,
  label TEXT COLLATE "C" NOT NULL,
  -- Empty where no version is known.
  plugin_digest TEXT COLLATE "C" NOT NULL,
  count BIGINT NOT NULL,
  -- Microseconds, of a duration.
  sum BIGINT NOT NULL,
  PRIMARY KEY (account_id, slot, metric, label, plugin_digest)
);

-- Which conversations had a message in a quarter of an hour: distinct ones can't be added up.
CREATE TABLE conversation_activity (
  account_id TEXT COLLATE "C" NOT NULL,
  slot BIGINT NOT NULL,
  conversation_id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (account_id, slot, conversation_id)
);
