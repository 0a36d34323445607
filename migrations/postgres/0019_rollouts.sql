-- A type runs one version for all its accounts, or a canary beside it for some.
ALTER TABLE plugin_actives ADD COLUMN active_generation BIGINT NOT NULL DEFAULT 1;
ALTER TABLE plugin_actives ADD COLUMN watch_until BIGINT;
ALTER TABLE plugin_actives ADD COLUMN canary_digest TEXT COLLATE "C" REFERENCES plugin_versions (digest);
-- Percent. NULL: the accounts of the list.
ALTER TABLE plugin_actives ADD COLUMN canary_share BIGINT;
ALTER TABLE plugin_actives ADD COLUMN canary_accounts JSONB;
ALTER TABLE plugin_actives ADD COLUMN canary_since BIGINT;
ALTER TABLE plugin_actives ADD COLUMN canary_generation BIGINT;
-- What the gateway changed by itself, until somebody changes something.
ALTER TABLE plugin_actives ADD COLUMN notice TEXT COLLATE "C";
ALTER TABLE plugin_actives ADD COLUMN noticed_at BIGINT;
UPDATE plugin_actives SET active_generation = generation;

-- How the calls of each version ended, by the hour and the type's generation.
CREATE TABLE plugin_outcomes (
  digest TEXT COLLATE "C" NOT NULL,
  generation BIGINT NOT NULL,
  hour BIGINT NOT NULL,
  -- answered, or the fault's word.
  outcome TEXT COLLATE "C" NOT NULL,
  type TEXT COLLATE "C" NOT NULL,
  calls BIGINT NOT NULL,
  PRIMARY KEY (digest, generation, hour, outcome)
);
CREATE INDEX plugin_outcomes_by_hour ON plugin_outcomes (hour);
