-- What people are called who acted on a document (HIST-8), as their newest token that did called them.
CREATE TABLE people (
  document INTEGER NOT NULL,
  sub TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (document, sub)
) STRICT, WITHOUT ROWID;
