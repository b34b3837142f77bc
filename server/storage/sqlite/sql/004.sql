-- Who alone may write a document, and until when. A row stays when the lock ends, so that its fence only grows.
CREATE TABLE locks (
  document TEXT PRIMARY KEY REFERENCES documents (id),
  fence INTEGER NOT NULL,
  owner TEXT,
  token_hash TEXT,
  ttl_ms INTEGER,
  expires_at INTEGER,
  CHECK ((owner IS NULL) = (expires_at IS NULL) AND (token_hash IS NULL) = (expires_at IS NULL)
    AND (ttl_ms IS NULL) = (expires_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX locks_by_expiry ON locks (expires_at) WHERE expires_at IS NOT NULL;
