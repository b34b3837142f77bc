-- New rows of the log, in the order in which they were written: acts that share a commit share its pages too, where `entries`
-- has one for each document. Once there are some thousand they are sorted into `entries`, document by document. Without foreign keys: those of `entries` look at each row once.
CREATE TABLE fresh_entries (
  key INTEGER PRIMARY KEY,
  document INTEGER NOT NULL,
  version INTEGER NOT NULL,
  author INTEGER NOT NULL,
  at INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  update_checksum INTEGER NOT NULL,
  effect TEXT,
  update_bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX fresh_entries_by_document ON fresh_entries (document, version);

-- All rows that are in no pack.
CREATE VIEW single_entries AS
  SELECT document, version, author, at, origin, checksum, update_checksum, effect, update_bytes FROM entries
  UNION ALL
  SELECT document, version, author, at, origin, checksum, update_checksum, effect, update_bytes FROM fresh_entries;
