-- Edits that live sessions left when they ended while somebody else's lock barred them (LOCK-4).

CREATE TABLE waiting_edits (
  -- Never given twice: an act names the edits that it takes in by it.
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  document TEXT NOT NULL,
  author TEXT NOT NULL,
  token_hash TEXT,
  at INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  -- What the session had of the document.
  knowledge TEXT NOT NULL,
  update_bytes BLOB NOT NULL
) STRICT;
CREATE INDEX waiting_edits_by_document ON waiting_edits (document);
