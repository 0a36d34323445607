-- The lists that clients ask for most, without a sort and without reading rows that aren't shown. The columns behind the order are there
-- for that: a filter is answered by the index alone, and so is a count.
CREATE INDEX channel_accounts_listed ON channel_accounts (id, type, is_active, connection) WHERE deleted_at IS NULL;
CREATE INDEX channel_accounts_of_type ON channel_accounts (type, id, is_active, connection) WHERE deleted_at IS NULL;
CREATE INDEX channel_accounts_by_time ON channel_accounts (created_at, id, type, is_active) WHERE deleted_at IS NULL;
CREATE INDEX channel_accounts_by_name ON channel_accounts (name, id, type, is_active) WHERE deleted_at IS NULL;
CREATE INDEX channel_accounts_of_type_by_time ON channel_accounts (type, created_at, id, is_active) WHERE deleted_at IS NULL;
CREATE INDEX channel_accounts_of_type_by_name ON channel_accounts (type, name, id, is_active) WHERE deleted_at IS NULL;
-- The same of one organisation, which may have all of them.
DROP INDEX channel_accounts_of_organization;
CREATE INDEX channel_accounts_of_organization ON channel_accounts (organization_id, id, type, is_active, connection) WHERE deleted_at IS NULL;
CREATE INDEX channel_accounts_of_organization_and_type ON channel_accounts (organization_id, type, id, is_active) WHERE deleted_at IS NULL;
CREATE INDEX channel_accounts_of_organization_by_time ON channel_accounts (organization_id, created_at, id, type, is_active) WHERE deleted_at IS NULL;
CREATE INDEX channel_accounts_of_organization_by_name ON channel_accounts (organization_id, name, id, type, is_active) WHERE deleted_at IS NULL;

CREATE INDEX conversations_by_time ON conversations (last_message_at, id);
CREATE INDEX conversations_of_contact ON conversations (contact_id, last_message_at, id);
CREATE INDEX subscriptions_of_organization ON subscriptions (organization_id, created_at, account_id, id);
CREATE INDEX media_of_organization ON media (organization_id, id) WHERE removed_at IS NULL;
