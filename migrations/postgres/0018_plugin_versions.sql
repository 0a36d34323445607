-- The way in of a component: where its examination is, who brought it, what it asks for, what was found.
-- Of a version in the state examining; a crash leaves it there, and whoever finds the lease run out takes it up again.
ALTER TABLE plugin_versions ADD COLUMN step TEXT COLLATE "C";
ALTER TABLE plugin_versions ADD COLUMN leased_by TEXT COLLATE "C";
ALTER TABLE plugin_versions ADD COLUMN leased_until BIGINT;
ALTER TABLE plugin_versions ADD COLUMN fence BIGINT NOT NULL DEFAULT 0;
-- Who brought it.
ALTER TABLE plugin_versions ADD COLUMN actor JSONB;
-- What is to become of it once it is ready: as it was asked for when it was brought.
ALTER TABLE plugin_versions ADD COLUMN rollout JSONB;
-- The signatures that were found, and what they were worth then. NULL: never looked at.
ALTER TABLE plugin_versions ADD COLUMN signatures JSONB;
-- Everything that it asks of the host. Of a version that is ready: what it was granted.
ALTER TABLE plugin_versions ADD COLUMN asks JSONB;
-- Of these, what its type wasn't granted before.
ALTER TABLE plugin_versions ADD COLUMN widens JSONB;
-- Who approved or rejected it, when and why.
ALTER TABLE plugin_versions ADD COLUMN judgement JSONB;
ALTER TABLE plugin_versions ADD COLUMN conformance JSONB;
-- How its events differ from the version's before it.
ALTER TABLE plugin_versions ADD COLUMN shadow JSONB;
ALTER TABLE plugin_versions ADD COLUMN changed_at BIGINT;
CREATE INDEX plugin_versions_examining ON plugin_versions (leased_until) WHERE state = 'examining';

-- Every change of state of a version, and of what a type runs.
CREATE TABLE plugin_moves (
  id TEXT COLLATE "C" PRIMARY KEY,
  at BIGINT NOT NULL,
  -- NULL: its manifest wasn't read yet.
  type TEXT COLLATE "C",
  digest TEXT COLLATE "C" NOT NULL,
  from_state TEXT COLLATE "C",
  to_state TEXT COLLATE "C" NOT NULL,
  reason TEXT COLLATE "C" NOT NULL,
  actor JSONB NOT NULL,
  detail JSONB NOT NULL
);
CREATE INDEX plugin_moves_by_digest ON plugin_moves (digest, id);
CREATE INDEX plugin_moves_by_type ON plugin_moves (type, id);

-- Whose signatures count.
CREATE TABLE plugin_keys (
  -- As the key itself says.
  id TEXT COLLATE "C" PRIMARY KEY,
  name TEXT COLLATE "C" NOT NULL,
  public_key TEXT COLLATE "C" NOT NULL,
  added_at BIGINT NOT NULL,
  added_by JSONB NOT NULL,
  revoked_at BIGINT,
  revoked_by JSONB,
  revoked_reason TEXT COLLATE "C"
);

-- Who did what, of whatever kind.
CREATE TABLE audit_log (
  id TEXT COLLATE "C" PRIMARY KEY,
  at BIGINT NOT NULL,
  actor_kind TEXT COLLATE "C" NOT NULL,
  actor_id TEXT COLLATE "C",
  actor_name TEXT COLLATE "C" NOT NULL,
  -- Like plugin.approve
  action TEXT COLLATE "C" NOT NULL,
  subject_kind TEXT COLLATE "C" NOT NULL,
  subject_id TEXT COLLATE "C" NOT NULL,
  -- NULL: the operator's.
  organization_id TEXT COLLATE "C",
  detail JSONB NOT NULL
);
CREATE INDEX audit_log_by_subject ON audit_log (subject_kind, subject_id, id);
CREATE INDEX audit_log_by_organization ON audit_log (organization_id, id);
