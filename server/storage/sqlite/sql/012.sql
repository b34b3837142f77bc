-- Those that are older than any token are forgotten (AUTH-3).
CREATE INDEX revocations_by_until ON revocations (until);
