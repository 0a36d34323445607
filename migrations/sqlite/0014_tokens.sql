-- The end of the account's webhook URL where its channel type asks for one: whoever sends has to know it.
ALTER TABLE channel_accounts ADD COLUMN webhook_token TEXT;
UPDATE channel_accounts SET webhook_token = lower(hex(randomblob(16)));
-- When the refresh token from OAuth expires, as the provider told it; and when the access token was last given or renewed.
ALTER TABLE channel_accounts ADD COLUMN oauth_refresh_expires_at INTEGER;
ALTER TABLE channel_accounts ADD COLUMN oauth_renewed_at INTEGER;
