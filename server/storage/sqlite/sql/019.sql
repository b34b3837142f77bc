-- Small contents lie in the row of their conflict: to be found again by their hash they need an entry at a random place of
-- an index, and so a page of 4 KiB written for each. JSON: pairs of a hash and its content.
ALTER TABLE conflicts ADD COLUMN contents TEXT;
ALTER TABLE conflicts ADD COLUMN contents_checksum INTEGER;

-- By id: the open ones of a document are looked at from the newest on, and never sorted.
DROP INDEX conflicts_open;
CREATE INDEX conflicts_open ON conflicts (document, id) WHERE status = 'open';
-- Each write asks for those of its author. Without ids: the smaller its entries, the fewer pages a commit of many authors writes.
CREATE INDEX conflicts_open_of_author ON conflicts (document, kind, author) WHERE status = 'open';
