-- Tables whose rows may be large get a key of their own. Without one SQLite keeps rows in the tree that they are found by, and
-- reads a large one whole each time that it is compared with: a document beside a large one waited 10 to 30 ms for each keystroke.
-- What is read without the update stands before it: what comes after is reached through all of its pages. Rows come in the order of
-- their index, which is there before them: to sort them all would take memory for each.
DROP VIEW single_entries;

CREATE TABLE keyed_entries (
  key INTEGER PRIMARY KEY,
  document INTEGER NOT NULL REFERENCES documents (key),
  version INTEGER NOT NULL,
  author INTEGER NOT NULL REFERENCES principals (key),
  at INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  -- Over all columns but the update, whose own checksum it covers.
  checksum INTEGER NOT NULL,
  update_checksum INTEGER NOT NULL,
  effect TEXT,
  -- Yjs client ids that begin with an entry and are not its author's (SYNC-6), as a JSON list. NULL: none.
  handed_on TEXT,
  update_bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX entries_by_document ON keyed_entries (document, version);
INSERT INTO keyed_entries
    (document, version, author, at, origin, checksum, update_checksum, effect, handed_on, update_bytes)
  SELECT document, version, author, at, origin, checksum, update_checksum, effect, handed_on, update_bytes
  FROM entries ORDER BY document, version;
DROP TABLE entries;
ALTER TABLE keyed_entries RENAME TO entries;

CREATE TABLE keyed_fresh_entries (
  key INTEGER PRIMARY KEY,
  document INTEGER NOT NULL,
  version INTEGER NOT NULL,
  author INTEGER NOT NULL,
  at INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  update_checksum INTEGER NOT NULL,
  effect TEXT,
  handed_on TEXT,
  update_bytes BLOB NOT NULL
) STRICT;
INSERT INTO keyed_fresh_entries
    (key, document, version, author, at, origin, checksum, update_checksum, effect, handed_on, update_bytes)
  SELECT key, document, version, author, at, origin, checksum, update_checksum, effect, handed_on, update_bytes
  FROM fresh_entries;
DROP TABLE fresh_entries;
ALTER TABLE keyed_fresh_entries RENAME TO fresh_entries;
CREATE UNIQUE INDEX fresh_entries_by_document ON fresh_entries (document, version);

CREATE VIEW single_entries AS
  SELECT document, version, author, at, origin, checksum, update_checksum, effect, handed_on, update_bytes FROM entries
  UNION ALL
  SELECT document, version, author, at, origin, checksum, update_checksum, effect, handed_on, update_bytes
  FROM fresh_entries;

CREATE TABLE keyed_packs (
  key INTEGER PRIMARY KEY,
  document INTEGER NOT NULL REFERENCES documents (key),
  last_version INTEGER NOT NULL,
  first_version INTEGER NOT NULL,
  -- Over all columns but the updates, whose own checksum it covers.
  checksum INTEGER NOT NULL,
  updates_checksum INTEGER NOT NULL,
  -- Deflated: JSON of all that rows hold besides their updates, and the updates one after the other.
  facts BLOB NOT NULL,
  updates BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX packs_by_document ON keyed_packs (document, last_version);
INSERT INTO keyed_packs (document, last_version, first_version, checksum, updates_checksum, facts, updates)
  SELECT document, last_version, first_version, checksum, updates_checksum, facts, updates
  FROM packs ORDER BY document, last_version;
DROP TABLE packs;
ALTER TABLE keyed_packs RENAME TO packs;
