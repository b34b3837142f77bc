-- Webhooks: what each asks for, how far it has come in the feed, and what it was, or is to be, told.

CREATE TABLE webhooks (
  id TEXT PRIMARY KEY,
  -- All that never changes.
  record TEXT NOT NULL,
  -- Everything before this place of the feed is in its deliveries.
  cursor TEXT NOT NULL,
  disabled_at INTEGER,
  disabled_reason TEXT
) STRICT, WITHOUT ROWID;

-- The queue of each webhook, and what is kept of what happened. AUTOINCREMENT: a position names one delivery for good.
CREATE TABLE webhook_deliveries (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  webhook TEXT NOT NULL REFERENCES webhooks (id),
  pending INTEGER NOT NULL CHECK (pending IN (0, 1)),
  record TEXT NOT NULL
) STRICT;
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook, pending, position);
