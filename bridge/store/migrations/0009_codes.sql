-- A report that bars one-time codes from going elsewhere. Kept, since a report may overtake its receipt.
ALTER TABLE reports ADD COLUMN bars_codes INTEGER NOT NULL DEFAULT 0;
