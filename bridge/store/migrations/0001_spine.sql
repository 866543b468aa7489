-- The spine: orders, attempts, reports, what came in, keys.
--
-- Instants and identifiers are 64-bit integers. To read this as PostgreSQL: INTEGER is BIGINT, BLOB is BYTEA, X'' is '',
-- INTEGER PRIMARY KEY without a value given is an identity column, and WITHOUT ROWID goes.
--
-- Hot tables (messages, attempts, events) are written in the order of their keys, and carry no index on anything random
-- (recipient, client reference): such an index multiplies the log by twenty and wears out a card.

CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    client INTEGER NOT NULL,
    recipient TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    kind TEXT NOT NULL DEFAULT 'text',
    text TEXT,
    data BLOB,
    udh BLOB NOT NULL DEFAULT X'',
    encoding TEXT NOT NULL DEFAULT 'gsm7',
    parts INTEGER NOT NULL DEFAULT 1,
    batch INTEGER,
    ref TEXT,
    sender TEXT,
    message_class INTEGER,
    report INTEGER NOT NULL DEFAULT 1,
    priority INTEGER NOT NULL DEFAULT 0,
    policy TEXT NOT NULL DEFAULT 'at_least_once',
    channel TEXT,
    queue TEXT,
    expires_at INTEGER,
    concatenation INTEGER NOT NULL DEFAULT 0,
    wide_reference INTEGER NOT NULL DEFAULT 0,
    reply_path INTEGER NOT NULL DEFAULT 0,
    reject_duplicates INTEGER NOT NULL DEFAULT 0,
    protocol_id INTEGER NOT NULL DEFAULT 0,
    dcs INTEGER,
    status TEXT NOT NULL DEFAULT 'queued',
    code TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0,
    possible_duplicate INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL DEFAULT 0,
    -- Not shown outside the store:
    leased_from TEXT, -- claimed or sending: the queue it came from, and returns to after a restart
    close_at INTEGER -- when something is decided though nothing happens: it expires, or no report is awaited any more
);

-- The queue. Claims walk down the priorities, each in order of due time.
CREATE INDEX messages_queue ON messages (queue, priority DESC, due_at, id) WHERE queue IS NOT NULL;

-- What a restart puts back: as many entries as are claimed or sending at one time.
CREATE INDEX messages_leased ON messages (leased_from) WHERE leased_from IS NOT NULL;

-- Expiry and the end of waiting for reports. Grows at its end, since validities are mostly alike.
CREATE INDEX messages_close ON messages (close_at) WHERE close_at IS NOT NULL;

-- Messages by status. To count them would read the whole table at each look at the metrics.
CREATE TABLE counters (
    status TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    client INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    first INTEGER NOT NULL, -- its messages' ids lie between these two
    last INTEGER NOT NULL,
    count INTEGER NOT NULL,
    ref TEXT
);

-- A message's history lies together, numbered from 1 within the message.
CREATE TABLE events (
    message INTEGER NOT NULL REFERENCES messages (id),
    id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL, -- JSON object
    PRIMARY KEY (message, id)
) WITHOUT ROWID;

CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES messages (id),
    part INTEGER NOT NULL,
    channel TEXT NOT NULL,
    sim TEXT NOT NULL,
    recipient TEXT NOT NULL,
    armed_at INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    state TEXT NOT NULL,
    deadline INTEGER,
    ended_at INTEGER,
    reference TEXT,
    tp_mr INTEGER,
    possible_duplicate INTEGER NOT NULL DEFAULT 0,
    code TEXT NOT NULL DEFAULT '',
    cms INTEGER,
    detail TEXT NOT NULL DEFAULT '',
    listening INTEGER NOT NULL DEFAULT 0,
    tp_st INTEGER,
    report_fingerprint TEXT,
    reported_at INTEGER,
    discharged_at INTEGER
);

CREATE INDEX attempts_message ON attempts (message);

-- A report finds its attempt: SIM and TP-MR.
CREATE INDEX attempts_listening ON attempts (sim, tp_mr) WHERE listening = 1;

-- Armed and in doubt: what a restart looks at, and the deadlines.
CREATE INDEX attempts_open ON attempts (state, deadline) WHERE state IN ('armed', 'in_doubt');

-- Doubts a report may still resolve.
CREATE INDEX attempts_doubtful ON attempts (sim, id) WHERE state IN ('in_doubt', 'unresolved');

-- A provider's own reference. A modem's is its TP-MR and comes round every 256 texts: not in here.
CREATE INDEX attempts_reference ON attempts (channel, reference) WHERE reference IS NOT NULL AND tp_mr IS NULL;

CREATE TABLE reports (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    sim TEXT NOT NULL,
    pdu TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    tp_mr INTEGER,
    recipient TEXT NOT NULL DEFAULT '',
    tp_st INTEGER,
    submitted_at INTEGER,
    discharged_at INTEGER,
    reference TEXT,
    attempt INTEGER
);

CREATE INDEX reports_attempt ON reports (attempt) WHERE attempt IS NOT NULL;
CREATE INDEX reports_orphaned ON reports (sim, received_at) WHERE attempt IS NULL;

CREATE TABLE received (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    sim TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    pdu TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    slot TEXT,
    session TEXT NOT NULL DEFAULT '',
    sender TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL DEFAULT 'text',
    text TEXT,
    data BLOB NOT NULL DEFAULT X'',
    encoding TEXT,
    reference INTEGER,
    wide INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 1,
    number INTEGER NOT NULL DEFAULT 1,
    sent_at INTEGER,
    inbound INTEGER,
    note TEXT NOT NULL DEFAULT ''
);

CREATE INDEX received_fingerprint ON received (fingerprint);
CREATE INDEX received_waiting ON received (sim, sender, reference) WHERE inbound IS NULL AND reference IS NOT NULL;
CREATE INDEX received_incomplete ON received (received_at) WHERE inbound IS NULL AND reference IS NOT NULL;

CREATE TABLE inbound (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    sim TEXT NOT NULL,
    sender TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    kind TEXT NOT NULL DEFAULT 'text',
    text TEXT,
    data BLOB NOT NULL DEFAULT X'',
    encoding TEXT,
    parts INTEGER NOT NULL DEFAULT 1,
    missing TEXT NOT NULL DEFAULT '[]', -- JSON list of part numbers
    sent_at INTEGER,
    message_class INTEGER,
    port INTEGER,
    replaces INTEGER,
    in_reply_to INTEGER,
    note TEXT NOT NULL DEFAULT '',
    replace_type INTEGER -- 1-7 (23.040 9.2.3.9, PID 41-47): a later one of the same type and sender replaces it
);

CREATE INDEX inbound_replaceable ON inbound (sim, sender, replace_type, id) WHERE replace_type IS NOT NULL;

CREATE TABLE api_keys (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
);

-- Rows are appended; only the small index is written in random order.
CREATE TABLE idempotency (
    id INTEGER PRIMARY KEY,
    client INTEGER NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    answer BLOB NOT NULL,
    UNIQUE (client, key)
);

-- The concatenation reference used last for each recipient.
CREATE TABLE concatenation (
    recipient TEXT PRIMARY KEY,
    reference INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
