-- Its client wants it no more and its provider was asked to delete it: whatever is reported then, it goes no other way.
ALTER TABLE messages ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0;
