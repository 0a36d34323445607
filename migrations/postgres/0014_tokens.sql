-- The end of the account's webhook URL where its channel type asks for one: whoever sends has to know it. The default is for nodes
-- of the version before, which make accounts without it.
ALTER TABLE channel_accounts ADD COLUMN webhook_token TEXT COLLATE "C" DEFAULT replace(gen_random_uuid()::text, '-', '');
-- When the refresh token from OAuth expires, as the provider told it; and when the access token was last given or renewed.
ALTER TABLE channel_accounts ADD COLUMN oauth_refresh_expires_at BIGINT;
ALTER TABLE channel_accounts ADD COLUMN oauth_renewed_at BIGINT;
