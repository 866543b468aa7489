-- Events for those who listen, and their way to each of them. Written only while somebody listens.

CREATE TABLE endpoints (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    url TEXT NOT NULL,
    recipients TEXT NOT NULL, -- JSON list
    description TEXT NOT NULL,
    events TEXT NOT NULL, -- JSON list
    channels TEXT NOT NULL, -- JSON list
    parties TEXT NOT NULL, -- JSON list
    headers TEXT NOT NULL, -- JSON object
    ordered INTEGER NOT NULL,
    enabled INTEGER NOT NULL,
    disabled_reason TEXT NOT NULL,
    secret BLOB NOT NULL, -- sealed
    old_secret BLOB NOT NULL, -- sealed
    old_secret_until INTEGER
);

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    number INTEGER NOT NULL, -- 1, 2, 3 ... within the key
    at INTEGER NOT NULL,
    data TEXT NOT NULL, -- JSON object
    message INTEGER,
    inbound INTEGER,
    channel TEXT NOT NULL,
    party TEXT NOT NULL
);

-- The last number of each key. Outlives the events.
CREATE TABLE outbox_keys (
    key TEXT PRIMARY KEY,
    last INTEGER NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;

-- An endpoint's deliveries lie together, in the order of the events.
CREATE TABLE deliveries (
    endpoint INTEGER NOT NULL REFERENCES endpoints (id),
    event INTEGER NOT NULL,
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    next_at INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    PRIMARY KEY (endpoint, event)
) WITHOUT ROWID;

-- Only as long as what waits.
CREATE INDEX deliveries_waiting ON deliveries (endpoint, next_at, event) WHERE state = 'waiting';
CREATE INDEX deliveries_ordered ON deliveries (endpoint, key, event) WHERE state = 'waiting';
CREATE INDEX deliveries_dead ON deliveries (endpoint, event) WHERE state = 'dead';

CREATE TABLE tries (
    id INTEGER PRIMARY KEY,
    endpoint INTEGER NOT NULL,
    event INTEGER NOT NULL,
    at INTEGER NOT NULL,
    milliseconds INTEGER NOT NULL,
    status INTEGER,
    problem TEXT NOT NULL,
    answer TEXT NOT NULL
);

CREATE INDEX tries_endpoint ON tries (endpoint, id);
