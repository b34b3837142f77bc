-- Names that people gave to versions.
CREATE TABLE labels (
  document INTEGER NOT NULL REFERENCES documents (key),
  version INTEGER NOT NULL,
  label TEXT NOT NULL,
  PRIMARY KEY (document, version)
) STRICT, WITHOUT ROWID;
