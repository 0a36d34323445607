-- Since when somebody on our side has written in the conversation: until then what the other side writes may be a request.
ALTER TABLE conversations ADD COLUMN answered_at BIGINT;
UPDATE conversations SET answered_at = (SELECT min(m.sent_at) FROM messages m
  WHERE m.conversation_id = conversations.id AND m.direction = 'outbound' AND m.kind = 'message');
