-- Replies, conversations, opt-outs, rules and calls. {conversation} ... stand for the columns of the structs in
-- bridge.model.

-- name: mark
-- The newest attempt that is in a run.
SELECT max(last) FROM sent_runs;

-- name: run_end
-- The last attempt of the next whole run.
SELECT id FROM attempts WHERE id > :after AND id < :before ORDER BY id LIMIT 1 OFFSET :offset;

-- name: add_run
INSERT INTO sent_runs (last) VALUES (:last);

-- name: fill_run
INSERT INTO sent_to (run, recipient, sim, message, attempt)
SELECT :last, recipient, sim, message, max(id)
FROM attempts
WHERE id > :after AND id <= :last AND state NOT IN ('refused_safe', 'refused_final', 'refused_late')
GROUP BY recipient, sim, message
ORDER BY recipient, sim, message;

-- name: run_into_conversations
-- sqlite: CROSS JOIN keeps the order: the run is read once, the conversations are looked up.
INSERT OR IGNORE INTO conversation_messages (conversation, message)
SELECT c.id, s.message
FROM sent_to AS s CROSS JOIN conversations AS c ON c.recipient = s.recipient AND c.sim = s.sim
WHERE s.run = :last;

-- name: sent_in_runs
-- sqlite: CROSS JOIN keeps the order: one step into each run.
SELECT s.sim, s.message, s.attempt
FROM sent_runs AS r CROSS JOIN sent_to AS s ON s.run = r.last AND s.recipient = :recipient
WHERE r.last >= :since
ORDER BY r.last DESC
LIMIT :limit;

-- name: sent_since
-- What is in no run yet. The plus keeps it from the other indexes.
SELECT sim, message, max(id)
FROM attempts
WHERE id > :after AND +recipient = :recipient AND +state NOT IN ('refused_safe', 'refused_final', 'refused_late')
GROUP BY sim, message
ORDER BY max(id) DESC
LIMIT :limit;

-- name: old_runs
SELECT last FROM sent_runs
WHERE last < :before AND last < (SELECT max(last) FROM sent_runs)
ORDER BY last
LIMIT :limit;

-- name: drop_run
DELETE FROM sent_runs WHERE last = :last;

-- name: empty_run
DELETE FROM sent_to WHERE run = :last;

-- name: conversation
SELECT {conversation} FROM conversations WHERE id = :id;

-- name: conversation_of
SELECT {conversation} FROM conversations WHERE sim = :sim AND peer = :peer;

-- name: conversations
SELECT {conversation}
FROM conversations
WHERE last < :before AND (:channel IS NULL OR channel = :channel) AND (:peer IS NULL OR peer = :peer)
ORDER BY last DESC
LIMIT :limit;

-- name: add_conversation
INSERT INTO conversations ({conversation}) VALUES ({conversation_values});

-- name: went_on
UPDATE conversations SET channel = :channel, last = :last, last_at = :now, received = received + 1 WHERE id = :id;

-- name: add_to_conversation
INSERT OR IGNORE INTO conversation_messages (conversation, message) VALUES (?, ?);

-- name: said
-- What was said to somebody, newest first.
SELECT message FROM conversation_messages WHERE conversation = :id AND message < :before ORDER BY message DESC LIMIT :limit;

-- name: heard
SELECT {inbound} FROM inbound WHERE conversation = :id AND id < :before ORDER BY id DESC LIMIT :limit;

-- name: answers_to
SELECT count(*) FROM inbound WHERE in_reply_to = :message AND confidence = 'token';

-- name: passed_on
SELECT {received}
FROM received
WHERE sim = :sim AND sender = :sender AND reference = :reference AND wide = :wide AND total = :total
    AND inbound IS NOT NULL AND received_at >= :since
ORDER BY id;

-- name: change_inbound
-- sqlite: REPLACE
INSERT OR REPLACE INTO inbound ({inbound}) VALUES ({inbound_values});

-- name: opt_outs
SELECT {opt_out}
FROM opt_outs
WHERE id < :before AND (:number IS NULL OR number = :number)
ORDER BY id DESC
LIMIT :limit;

-- name: opt_out
SELECT {opt_out} FROM opt_outs WHERE id = :id;

-- name: add_opt_out
INSERT OR IGNORE INTO opt_outs ({opt_out}) VALUES ({opt_out_values});

-- name: remove_opt_out
DELETE FROM opt_outs WHERE id = :id;

-- name: add_auto_reply
INSERT INTO auto_replies (message, peer, rule, at) VALUES (:message, :peer, :rule, :at);

-- name: auto_replies
SELECT count(*) FROM auto_replies WHERE peer = :peer AND at > :since AND (:rule IS NULL OR rule = :rule);

-- name: forget_auto_replies
DELETE FROM auto_replies WHERE at < :before;

-- name: add_program_run
INSERT INTO program_runs ({program_run}) VALUES ({program_run_values});

-- name: program_runs
SELECT {program_run} FROM program_runs WHERE ended_at IS NULL AND due_at <= :now ORDER BY due_at LIMIT :limit;

-- name: next_program_run
SELECT min(due_at) FROM program_runs WHERE ended_at IS NULL;

-- name: clock_back
-- As for messages: no program is to wait for the old time to come again.
UPDATE program_runs SET due_at = max(:after, due_at + :moved) WHERE ended_at IS NULL AND due_at > :after;

-- name: program_runs_of
SELECT {program_run} FROM program_runs WHERE inbound = :inbound ORDER BY id;

-- name: change_program_run
UPDATE program_runs SET due_at = :due_at, tries = :tries, ended_at = :ended_at, outcome = :outcome WHERE id = :id;

-- name: add_call
INSERT INTO calls ({call}) VALUES ({call_values});

-- name: calls
SELECT {call}
FROM calls
WHERE id < :before AND (:channel IS NULL OR channel = :channel) AND (:caller IS NULL OR caller = :caller)
ORDER BY id DESC
LIMIT :limit;
