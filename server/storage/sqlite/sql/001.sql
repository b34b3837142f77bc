-- Parley's storage in one SQLite file. Text compares by code point (BINARY), times are milliseconds since the epoch.

-- "Parl": marks the file as Parley's, so that no other program's database is ever taken for one.
PRAGMA application_id = 1348563564;

CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch TEXT NOT NULL,
  -- 1 in a copy made by a backup: the next start draws a new epoch (OPS-7).
  is_copy INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Who wrote entries. Entries are many and small, so they hold the key instead of the name.
CREATE TABLE principals (
  key INTEGER PRIMARY KEY,
  sub TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE documents (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  incarnation TEXT NOT NULL,
  kind TEXT NOT NULL,
  root TEXT NOT NULL,
  conflict_policy TEXT NOT NULL,
  schema TEXT,
  version INTEGER NOT NULL,
  first_version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  deleted_at INTEGER,
  checksum INTEGER NOT NULL
) STRICT;

-- The log. The update is the last column, so that reading effects never follows its overflow pages.
CREATE TABLE entries (
  document INTEGER NOT NULL REFERENCES documents (key),
  version INTEGER NOT NULL,
  author INTEGER NOT NULL REFERENCES principals (key),
  at INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  -- Over all columns but the update, whose own checksum it covers.
  checksum INTEGER NOT NULL,
  update_checksum INTEGER NOT NULL,
  effect TEXT,
  update_bytes BLOB NOT NULL,
  PRIMARY KEY (document, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
  document INTEGER PRIMARY KEY REFERENCES documents (key),
  version INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  state BLOB NOT NULL
) STRICT;

-- Contents are deflated JSON.
CREATE TABLE checkpoints (
  document INTEGER NOT NULL REFERENCES documents (key),
  version INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (document, version)
) STRICT;

CREATE TABLE contents (
  hash TEXT PRIMARY KEY,
  checksum INTEGER NOT NULL,
  content BLOB NOT NULL
) STRICT;

-- The record is the truth; the other columns repeat what is asked for.
CREATE TABLE conflicts (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  document TEXT NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  author TEXT NOT NULL,
  revision INTEGER NOT NULL,
  detected_at INTEGER NOT NULL,
  closed_at INTEGER,
  checksum INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE INDEX conflicts_by_document ON conflicts (document, id);
CREATE INDEX conflicts_by_status ON conflicts (status, id);
CREATE INDEX conflicts_open ON conflicts (document) WHERE status = 'open';
CREATE INDEX conflicts_by_closing ON conflicts (closed_at) WHERE closed_at IS NOT NULL;

-- Which contents a conflict refers to; a content goes with the last conflict that does.
CREATE TABLE conflict_contents (
  hash TEXT NOT NULL REFERENCES contents (hash),
  conflict INTEGER NOT NULL REFERENCES conflicts (key),
  PRIMARY KEY (hash, conflict)
) STRICT, WITHOUT ROWID;
CREATE INDEX conflict_contents_by_conflict ON conflict_contents (conflict);

-- AUTOINCREMENT: a sequence is never used again, even after the newest events were forgotten.
CREATE TABLE events (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  type TEXT NOT NULL,
  document TEXT NOT NULL,
  data TEXT NOT NULL
) STRICT;

CREATE TABLE revocations (
  subject_kind TEXT NOT NULL CHECK (subject_kind IN ('sub', 'jti')),
  subject TEXT NOT NULL,
  -- Seconds since the epoch, as in tokens.
  until INTEGER NOT NULL,
  PRIMARY KEY (subject_kind, subject)
) STRICT, WITHOUT ROWID;

-- Always empty: whether the disk takes a write is found out by writing (OPS-1).
CREATE TABLE probe (filler BLOB NOT NULL) STRICT;
