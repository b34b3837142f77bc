-- The log, kept small (SPEC HIST-4).

-- Rows of the log that are kept together: many small ones take a fraction of the room, and are read faster. A version
-- is in `entries` or in a pack, never in both; packs do not overlap.
CREATE TABLE packs (
  document INTEGER NOT NULL REFERENCES documents (key),
  last_version INTEGER NOT NULL,
  first_version INTEGER NOT NULL,
  -- Over all columns but the updates, whose own checksum it covers.
  checksum INTEGER NOT NULL,
  updates_checksum INTEGER NOT NULL,
  -- Deflated: JSON of all that rows hold besides their updates, and the updates one after the other.
  facts BLOB NOT NULL,
  updates BLOB NOT NULL,
  PRIMARY KEY (document, last_version)
) STRICT, WITHOUT ROWID;

CREATE TABLE log_progress (
  document INTEGER PRIMARY KEY REFERENCES documents (key),
  packed INTEGER NOT NULL,
  joined INTEGER NOT NULL,
  due_at INTEGER
) STRICT;

-- Versions that conflicts refer to: they are kept.
CREATE TABLE conflict_versions (
  document TEXT NOT NULL,
  version INTEGER NOT NULL,
  conflict INTEGER NOT NULL REFERENCES conflicts (key),
  PRIMARY KEY (document, version, conflict)
) STRICT, WITHOUT ROWID;
CREATE INDEX conflict_versions_by_conflict ON conflict_versions (conflict);
INSERT OR IGNORE INTO conflict_versions (document, version, conflict)
  SELECT document, record -> 'base' ->> 'version', key FROM conflicts WHERE record -> 'base' ->> 'version' > 0
  UNION SELECT document, record -> 'current' ->> 'version', key FROM conflicts
    WHERE record -> 'current' ->> 'version' > 0;
