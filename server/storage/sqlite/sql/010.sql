-- A purge hides what it is to erase (HIST-5): whoever reads looks the document up by its id, in a table that is nearly always empty.
ALTER TABLE purges ADD COLUMN id TEXT;
UPDATE purges SET id = (SELECT id FROM documents WHERE key = purges.document);
CREATE UNIQUE INDEX purges_by_id ON purges (id);
