-- Orders: accept, read, move. {message} stands for the columns of bridge.model.Message, see rows.py.

-- name: add
-- A message with everything it can carry.
INSERT INTO messages ({message}, close_at) VALUES ({message_values}, ?);

-- name: add_plain
-- A plain text, as nearly all are: the columns it does not need keep their defaults.
INSERT INTO messages ({plain_message}, close_at) VALUES ({plain_message_values}, ?);

-- name: message
SELECT {message} FROM messages WHERE id = :id;

-- name: messages
-- Newest first. :statuses is a list like ',sent,delivered,'. Client, recipient and reference have no index: they are
-- looked for from the newest row backwards.
SELECT {message}
FROM messages
WHERE id < :before AND id >= :first AND id <= :last
    AND (:client IS NULL OR client = :client)
    AND (:recipient IS NULL OR recipient = :recipient)
    AND (:ref IS NULL OR ref = :ref)
    AND (:batch IS NULL OR batch = :batch)
    AND (:since IS NULL OR created_at >= :since)
    AND (:until IS NULL OR created_at < :until)
    AND (:statuses IS NULL OR :statuses LIKE '%,' || status || ',%')
ORDER BY id DESC
LIMIT :limit;

-- name: counts
SELECT status, count FROM counters WHERE count <> 0;

-- name: count
INSERT INTO counters (status, count) VALUES (?, ?)
ON CONFLICT (status) DO UPDATE SET count = counters.count + excluded.count;

-- name: status
SELECT status, updated_at FROM messages WHERE id = :id;

-- name: move
-- While it is sending it remembers where it came from, so that a restart finds it.
-- :watch says what happens if nothing happens: see `changes.py`.
UPDATE messages
SET status = :status,
    code = :code,
    reason = :reason,
    queue = :queue,
    due_at = CASE WHEN :due_at < 0 THEN due_at ELSE :due_at END,
    tries = CASE WHEN :tries < 0 THEN tries ELSE :tries END,
    possible_duplicate = CASE WHEN :possible_duplicate < 0 THEN possible_duplicate ELSE :possible_duplicate END,
    leased_from = CASE WHEN :status = 'sending' THEN coalesce(leased_from, queue, channel, '*') END,
    close_at = CASE :watch
        WHEN 'expiry' THEN expires_at
        WHEN 'report' THEN CASE WHEN report = 1 THEN coalesce(expires_at + :after_expiry, :now + :without_expiry) END
        WHEN 'repeats' THEN :now + :for_repeats
        WHEN 'stragglers' THEN CASE
            WHEN EXISTS (SELECT 1 FROM attempts WHERE attempts.message = messages.id AND attempts.listening = 1)
            THEN coalesce(expires_at + :after_expiry, :now + :without_expiry)
        END
    END,
    updated_at = :now
WHERE id = :id;

-- name: queued_to_sending
-- The usual way, see `move`: claimed, and not changed since. Queue and lease stay as the claim left them: to name them
-- here would write both their indexes anew.
UPDATE messages
SET status = 'sending', code = '', reason = '', close_at = NULL, updated_at = ?
WHERE id = ? AND status = 'queued' AND updated_at = ? AND queue IS NULL AND leased_from IS NOT NULL;

-- name: sending_to_sent
-- The usual way, see `move`. It waits in no queue since it was claimed.
UPDATE messages
SET status = 'sent', code = '', reason = '', leased_from = NULL,
    close_at = CASE WHEN report = 1 THEN coalesce(expires_at + ?, ?) END, updated_at = ?
WHERE id = ? AND status = 'sending';

-- name: revise
-- What its client may change while it waits. Claimed ones stay with their claim, which finds it out when it arms.
UPDATE messages
SET text = :text, encoding = :encoding, parts = :parts, concatenation = :concatenation, route = :route,
    channel = :channel, priority = :priority, due_at = :due_at, expires_at = :expires_at, windows = :windows,
    asked_at = :asked_at, code = :code, reason = :reason, updated_at = :now, close_at = :expires_at,
    leased_from = CASE WHEN queue IS NULL THEN :queue END,
    queue = CASE WHEN queue IS NULL THEN NULL WHEN queue = '-' THEN '-' ELSE :queue END -- a parked one stays parked
WHERE id = :id AND status IN ('queued', 'retry_wait');

-- name: add_event
INSERT INTO events (message, id, at, kind, data)
VALUES (?, coalesce((SELECT max(id) FROM events WHERE message = ?), 0) + 1, ?, ?, ?);

-- name: history
SELECT id, message, at, kind, data FROM events WHERE message = :message ORDER BY id;

-- name: add_batch
INSERT INTO batches ({batch}) VALUES ({batch_values});

-- name: batch
SELECT {batch} FROM batches WHERE id = :id;

-- name: batch_counts
SELECT status, count(*) FROM messages WHERE id BETWEEN :first AND :last AND batch = :batch GROUP BY status;

-- name: next_concatenation
-- Counts up for each recipient and comes round after 65535.
INSERT INTO concatenation (recipient, reference) VALUES (:recipient, 1)
ON CONFLICT (recipient) DO UPDATE SET reference = (concatenation.reference + 1) % 65536
RETURNING reference;

-- name: charge
UPDATE messages SET cost = :cost, currency = :currency WHERE id = :id;

-- name: withdraw
UPDATE messages SET withdrawn = :withdrawn WHERE id = :id;
