-- The version whose content a stored answer shows: a repeat reads it from the log (WRITE-8), so it is not compacted away (HIST-4).
ALTER TABLE answer_documents ADD COLUMN version INTEGER;
CREATE INDEX answer_documents_by_version ON answer_documents (document, version) WHERE version IS NOT NULL;
