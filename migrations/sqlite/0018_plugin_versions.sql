-- The way in of a component: where its examination is, who brought it, what it asks for, what was found.
-- Of a version in the state examining; a crash leaves it there, and whoever finds the lease run out takes it up again.
ALTER TABLE plugin_versions ADD COLUMN step TEXT;
ALTER TABLE plugin_versions ADD COLUMN leased_by TEXT;
ALTER TABLE plugin_versions ADD COLUMN leased_until INTEGER;
ALTER TABLE plugin_versions ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
-- Who brought it.
ALTER TABLE plugin_versions ADD COLUMN actor TEXT;
-- What is to become of it once it is ready: as it was asked for when it was brought.
ALTER TABLE plugin_versions ADD COLUMN rollout TEXT;
-- The signatures that were found, and what they were worth then. NULL: never looked at.
ALTER TABLE plugin_versions ADD COLUMN signatures TEXT;
-- Everything that it asks of the host. Of a version that is ready: what it was granted.
ALTER TABLE plugin_versions ADD COLUMN asks TEXT;
-- Of these, what its type wasn't granted before.
ALTER TABLE plugin_versions ADD COLUMN widens TEXT;
-- Who approved or rejected it, when and why.
ALTER TABLE plugin_versions ADD COLUMN judgement TEXT;
ALTER TABLE plugin_versions ADD COLUMN conformance TEXT;
-- How its events differ from the version's before it.
ALTER TABLE plugin_versions ADD COLUMN shadow TEXT;
ALTER TABLE plugin_versions ADD COLUMN changed_at INTEGER;
CREATE INDEX plugin_versions_examining ON plugin_versions (leased_until) WHERE state = 'examining';

-- Every change of state of a version, and of what a type runs.
CREATE TABLE plugin_moves (
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  -- NULL: its manifest wasn't read yet.
  type TEXT,
  digest TEXT NOT NULL,
  from_state TEXT,
  to_state TEXT NOT NULL,
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX plugin_moves_by_digest ON plugin_moves (digest, id);
CREATE INDEX plugin_moves_by_type ON plugin_moves (type, id);

-- Whose signatures count.
CREATE TABLE plugin_keys (
  -- As the key itself says.
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  public_key TEXT NOT NULL,
  added_at INTEGER NOT NULL,
  added_by TEXT NOT NULL,
  revoked_at INTEGER,
  revoked_by TEXT,
  revoked_reason TEXT
) STRICT;

-- Who did what, of whatever kind.
CREATE TABLE audit_log (
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id TEXT,
  actor_name TEXT NOT NULL,
  -- Like plugin.approve
  action TEXT NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  -- NULL: the operator's.
  organization_id TEXT,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_log_by_subject ON audit_log (subject_kind, subject_id, id);
CREATE INDEX audit_log_by_organization ON audit_log (organization_id, id);
