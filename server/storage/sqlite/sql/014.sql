-- Each write asks for the open conflicts of its author: among those of everybody else they took the longer to find the more
-- writers a document had.
DROP INDEX conflicts_open;
CREATE INDEX conflicts_open ON conflicts (document, kind, author, id) WHERE status = 'open';
