-- Of the newest event that was forgotten: cursors that name it are still good, as those of a file that was put back are not (OPS-7).
ALTER TABLE meta ADD COLUMN pruned_sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN pruned_mark TEXT NOT NULL DEFAULT '';
