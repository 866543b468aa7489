-- Recurring sends, and strict order where it was asked for.

CREATE TABLE schedules (
    id INTEGER PRIMARY KEY,
    client INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    rhythm TEXT NOT NULL, -- as it was written
    crons TEXT NOT NULL, -- JSON list; what it means
    every INTEGER, -- or an interval, milliseconds
    zone TEXT NOT NULL,
    start INTEGER NOT NULL,
    recipients TEXT NOT NULL, -- JSON list
    orders TEXT NOT NULL, -- JSON object: what each of them gets
    grace INTEGER NOT NULL, -- milliseconds
    name TEXT NOT NULL,
    ends_at INTEGER,
    most INTEGER,
    exceptions TEXT NOT NULL, -- JSON list of days
    paused INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    next_at INTEGER -- null: paused or ended
);

-- The one timer looks at its first entry.
CREATE INDEX schedules_next ON schedules (next_at) WHERE next_at IS NOT NULL;

-- Each is made once: whoever inserts the row makes the messages, in the same transaction.
CREATE TABLE occurrences (
    id INTEGER PRIMARY KEY,
    schedule INTEGER NOT NULL REFERENCES schedules (id),
    due_at INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    message INTEGER,
    batch INTEGER,
    count INTEGER NOT NULL,
    reason TEXT NOT NULL,
    UNIQUE (schedule, due_at)
);

ALTER TABLE messages ADD COLUMN order_key TEXT;

-- Messages that wait for one another: a lane is a client's order key, its messages go in the order of their ids. A row
-- leaves when its message is accepted or has ended. `queue`: it is parked, and where it goes on waiting.
CREATE TABLE lanes (
    lane TEXT NOT NULL,
    message INTEGER NOT NULL,
    queue TEXT,
    PRIMARY KEY (lane, message)
) WITHOUT ROWID;

CREATE INDEX lanes_message ON lanes (message);
