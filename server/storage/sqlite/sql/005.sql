-- Purging: what is erased for good (SPEC HIST-5), and what stays of it.

-- Purges that are not finished: everything of the document up to these is to go.
CREATE TABLE purges (
  document INTEGER PRIMARY KEY REFERENCES documents (key),
  version INTEGER NOT NULL,
  conflict INTEGER NOT NULL,
  event INTEGER NOT NULL,
  delivery INTEGER NOT NULL
) STRICT;

-- The Yjs clients of erased logs, with the clock after their last struct: by these a copy of an earlier life is known
-- again (SYNC-7).
CREATE TABLE former_clients (
  document INTEGER NOT NULL REFERENCES documents (key),
  client INTEGER NOT NULL,
  clock INTEGER NOT NULL,
  PRIMARY KEY (document, client)
) STRICT, WITHOUT ROWID;

CREATE INDEX events_by_document ON events (document);
CREATE INDEX webhook_deliveries_by_document ON webhook_deliveries (record ->> 'document');
