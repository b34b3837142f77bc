-- Yjs client ids that begin with an entry and are not its author's (SYNC-6), as a JSON list. NULL: none.
ALTER TABLE entries ADD COLUMN handed_on TEXT;
ALTER TABLE fresh_entries ADD COLUMN handed_on TEXT;
DROP VIEW single_entries;
CREATE VIEW single_entries AS
  SELECT document, version, author, at, origin, checksum, update_checksum, effect, handed_on, update_bytes FROM entries
  UNION ALL
  SELECT document, version, author, at, origin, checksum, update_checksum, effect, handed_on, update_bytes
  FROM fresh_entries;

-- The same of what waits for a lock.
ALTER TABLE waiting_edits ADD COLUMN handed_on TEXT;
