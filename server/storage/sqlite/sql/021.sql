-- A document may be deleted with more open conflicts than one act closes. What is open up to `conflict` (a key), and named by no
-- row with a lower one, counts as expired with that deletion; it is closed in acts of its own, and the last takes the row along.
CREATE TABLE expiring (
  document TEXT NOT NULL,
  conflict INTEGER NOT NULL,
  deleted_at INTEGER NOT NULL,
  deleted_by TEXT NOT NULL,
  PRIMARY KEY (document, conflict)
) STRICT, WITHOUT ROWID;
