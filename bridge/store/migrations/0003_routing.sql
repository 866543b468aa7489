-- Routing by memory and by late reports.

-- A report that says "not by this carrier" may send the message elsewhere. Kept, since a report may overtake its receipt.
ALTER TABLE reports ADD COLUMN elsewhere INTEGER NOT NULL DEFAULT 0;

-- Which channel a person knows us by: the last one that sent to them or received from them, for routes that stick to it.
-- Written for those routes only.
CREATE TABLE affinity (
    recipient TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;
