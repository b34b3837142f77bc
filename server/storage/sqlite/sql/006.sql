-- Answers to requests with an Idempotency-Key, for their repeats (WRITE-8).

CREATE TABLE answers (
  id INTEGER PRIMARY KEY,
  principal TEXT NOT NULL,
  key TEXT NOT NULL,
  at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  -- Fingerprint, documents, status and headers.
  record TEXT NOT NULL,
  -- Deflated.
  body BLOB,
  UNIQUE (principal, key)
) STRICT;
CREATE INDEX answers_by_expiry ON answers (expires_at);

-- An answer goes with each document that it may speak of (HIST-5).
CREATE TABLE answer_documents (
  document TEXT NOT NULL,
  answer INTEGER NOT NULL REFERENCES answers (id) ON DELETE CASCADE,
  PRIMARY KEY (document, answer)
) STRICT, WITHOUT ROWID;
CREATE INDEX answer_documents_by_answer ON answer_documents (answer);

-- Of a purge: the newest answer that is to go.
ALTER TABLE purges ADD COLUMN answer INTEGER NOT NULL DEFAULT 0;
