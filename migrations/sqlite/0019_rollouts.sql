-- A type runs one version for all its accounts, or a canary beside it for some.
ALTER TABLE plugin_actives ADD COLUMN active_generation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE plugin_actives ADD COLUMN watch_until INTEGER;
ALTER TABLE plugin_actives ADD COLUMN canary_digest TEXT REFERENCES plugin_versions (digest);
-- Percent. NULL: the accounts of the list.
ALTER TABLE plugin_actives ADD COLUMN canary_share INTEGER;
ALTER TABLE plugin_actives ADD COLUMN canary_accounts TEXT;
ALTER TABLE plugin_actives ADD COLUMN canary_since INTEGER;
ALTER TABLE plugin_actives ADD COLUMN canary_generation INTEGER;
-- What the gateway changed by itself, until somebody changes something.
ALTER TABLE plugin_actives ADD COLUMN notice TEXT;
ALTER TABLE plugin_actives ADD COLUMN noticed_at INTEGER;
UPDATE plugin_actives SET active_generation = generation;

-- How the calls of each version ended, by the hour and the type's generation.
CREATE TABLE plugin_outcomes (
  digest TEXT NOT NULL,
  generation INTEGER NOT NULL,
  hour INTEGER NOT NULL,
  -- answered, or the fault's word.
  outcome TEXT NOT NULL,
  type TEXT NOT NULL,
  calls INTEGER NOT NULL,
  PRIMARY KEY (digest, generation, hour, outcome)
) STRICT;
CREATE INDEX plugin_outcomes_by_hour ON plugin_outcomes (hour);
