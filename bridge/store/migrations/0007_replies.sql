-- Replies find the message they answer; conversations; what came in with its content; opt-outs, rules, calls.

ALTER TABLE messages ADD COLUMN reply_token TEXT;
ALTER TABLE messages ADD COLUMN category TEXT NOT NULL DEFAULT 'general';

ALTER TABLE received ADD COLUMN message_class INTEGER;
ALTER TABLE received ADD COLUMN port INTEGER;
ALTER TABLE received ADD COLUMN source_port INTEGER;
ALTER TABLE received ADD COLUMN indications TEXT NOT NULL DEFAULT '[]'; -- JSON list

-- A part that comes after its message was passed on without it.
CREATE INDEX received_passed_on ON received (sim, sender, reference) WHERE inbound IS NOT NULL AND reference IS NOT NULL;

ALTER TABLE inbound ADD COLUMN source_port INTEGER;
ALTER TABLE inbound ADD COLUMN content TEXT NOT NULL DEFAULT 'null'; -- JSON object
ALTER TABLE inbound ADD COLUMN confidence TEXT;
ALTER TABLE inbound ADD COLUMN reply_ref TEXT;
ALTER TABLE inbound ADD COLUMN reply_client INTEGER;
ALTER TABLE inbound ADD COLUMN conversation INTEGER;
ALTER TABLE inbound ADD COLUMN withheld TEXT NOT NULL DEFAULT '';
ALTER TABLE inbound ADD COLUMN updated_at INTEGER;

CREATE INDEX inbound_conversation ON inbound (conversation, id) WHERE conversation IS NOT NULL;
CREATE INDEX inbound_answers ON inbound (in_reply_to) WHERE in_reply_to IS NOT NULL;

-- Who was written to lately, for replies. Sending writes nothing here: attempts are copied in runs of some thousands,
-- each sorted and appended behind the last, so that no page is written twice and a search is one step a run.
CREATE TABLE sent_runs (
    last INTEGER PRIMARY KEY -- the newest attempt in it
);

CREATE TABLE sent_to (
    run INTEGER NOT NULL,
    recipient TEXT NOT NULL, -- key, see policy.correlation
    sim TEXT NOT NULL,
    message INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    PRIMARY KEY (run, recipient, sim, message)
) WITHOUT ROWID;

-- People who have written to us: one for each SIM or account and each of them.
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    sim TEXT NOT NULL,
    peer TEXT NOT NULL,
    recipient TEXT NOT NULL, -- key
    started_at INTEGER NOT NULL,
    last INTEGER NOT NULL, -- newest incoming message
    last_at INTEGER NOT NULL,
    received INTEGER NOT NULL,
    UNIQUE (sim, peer)
);

CREATE INDEX conversations_last ON conversations (last);
CREATE INDEX conversations_recipient ON conversations (recipient, sim);

-- What we wrote to them.
CREATE TABLE conversation_messages (
    conversation INTEGER NOT NULL REFERENCES conversations (id),
    message INTEGER NOT NULL,
    PRIMARY KEY (conversation, message)
) WITHOUT ROWID;

CREATE TABLE opt_outs (
    id INTEGER PRIMARY KEY,
    number TEXT NOT NULL,
    sender TEXT NOT NULL, -- '' = all
    channel TEXT NOT NULL, -- '' = all
    created_at INTEGER NOT NULL,
    word TEXT NOT NULL,
    inbound INTEGER,
    UNIQUE (number, sender, channel)
);

-- Automatic answers, for their caps.
CREATE TABLE auto_replies (
    message INTEGER PRIMARY KEY,
    peer TEXT NOT NULL,
    rule TEXT NOT NULL,
    at INTEGER NOT NULL
);

CREATE INDEX auto_replies_peer ON auto_replies (peer, at);

-- Programs to be run for an incoming message: written with it, done when the program has ended.
CREATE TABLE program_runs (
    id INTEGER PRIMARY KEY,
    inbound INTEGER NOT NULL,
    rule TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER,
    outcome TEXT NOT NULL DEFAULT ''
);

CREATE INDEX program_runs_due ON program_runs (due_at) WHERE ended_at IS NULL;

CREATE TABLE calls (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    sim TEXT NOT NULL,
    caller TEXT NOT NULL, -- '' = withheld
    at INTEGER NOT NULL,
    rings INTEGER NOT NULL,
    hung_up INTEGER NOT NULL
);
