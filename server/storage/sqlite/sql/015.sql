-- Who wrote the first struct of each Yjs client id (SYNC-6), as far as a snapshot goes: the state does not say. Empty: not known.
ALTER TABLE snapshots ADD COLUMN owners BLOB NOT NULL DEFAULT x'';
