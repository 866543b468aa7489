-- Provider accounts beside modems: what only they know of a message, what they charge, and their word in a report.

ALTER TABLE messages ADD COLUMN route TEXT;
ALTER TABLE messages ADD COLUMN options TEXT NOT NULL DEFAULT '{}'; -- JSON object
ALTER TABLE messages ADD COLUMN cost TEXT; -- decimal, as charged
ALTER TABLE messages ADD COLUMN currency TEXT NOT NULL DEFAULT '';

ALTER TABLE attempts ADD COLUMN fate TEXT;

ALTER TABLE reports ADD COLUMN fate TEXT;
ALTER TABLE reports ADD COLUMN code TEXT NOT NULL DEFAULT '';
ALTER TABLE reports ADD COLUMN detail TEXT NOT NULL DEFAULT '';
