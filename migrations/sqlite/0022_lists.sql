-- The lists that clients ask for most, without a sort and without reading what isn't shown. Every account's first page: newest first,
-- of one type, of those that work or don't, of an organisation or of all.
CREATE INDEX channel_accounts_listed ON channel_accounts (id) WHERE deleted_at IS NULL;
CREATE INDEX channel_accounts_of_type ON channel_accounts (type, is_active, id) WHERE deleted_at IS NULL;
CREATE INDEX channel_accounts_of_organization_and_type ON channel_accounts (organization_id, type, is_active, id) WHERE deleted_at IS NULL;
CREATE INDEX channel_accounts_by_connection ON channel_accounts (connection, id) WHERE deleted_at IS NULL;
CREATE INDEX conversations_by_time ON conversations (last_message_at, id);
CREATE INDEX conversations_of_contact ON conversations (contact_id, last_message_at, id);
CREATE INDEX subscriptions_of_organization ON subscriptions (organization_id, created_at, account_id, id);
CREATE INDEX media_of_organization ON media (organization_id, id) WHERE removed_at IS NULL;
