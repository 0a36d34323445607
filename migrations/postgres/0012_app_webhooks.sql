-- One URL serves many accounts: a request that concerns none of them, or that the plugin failed on, is the app's.
ALTER TABLE webhooks ADD COLUMN app_id TEXT;
-- The request holds what came for other accounts too: only the operator may see what it says.
ALTER TABLE webhooks ADD COLUMN shared BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX webhooks_of_app ON webhooks (app_id, id) WHERE app_id IS NOT NULL;
CREATE UNIQUE INDEX webhooks_repeated_of_app ON webhooks (app_id, request_hash) WHERE app_id IS NOT NULL AND state = 'failed';
