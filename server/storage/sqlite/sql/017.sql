-- How far a document's log was erased by a purge (HIST-5): a document that is created anew begins after it, and its log has no
-- rows up to there. Of purges that have ended only the missing rows tell.
ALTER TABLE documents ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
UPDATE documents SET erased = coalesce(
  (SELECT version FROM purges WHERE purges.document = documents.key),
  (SELECT min(first) - 1 FROM (
     SELECT min(version) AS first FROM entries WHERE document = documents.key
     UNION ALL SELECT min(version) FROM fresh_entries WHERE document = documents.key
     UNION ALL SELECT min(first_version) FROM packs WHERE document = documents.key)),
  version);
