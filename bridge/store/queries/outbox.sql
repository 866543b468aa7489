-- Events, who listens to them, and their way there. {endpoint} ... stand for the columns of the structs in
-- bridge.endpoints and bridge.events.

-- name: endpoints
SELECT {endpoint} FROM endpoints ORDER BY id;

-- name: endpoint
SELECT {endpoint} FROM endpoints WHERE id = :id;

-- name: add_endpoint
INSERT INTO endpoints ({endpoint}) VALUES ({endpoint_values});

-- name: change_endpoint
UPDATE endpoints SET ({endpoint}) = ({endpoint_values}) WHERE id = ?;

-- name: remove_endpoint
DELETE FROM endpoints WHERE id = :id;

-- name: remove_deliveries
DELETE FROM deliveries WHERE endpoint = :id;

-- name: remove_tries
DELETE FROM tries WHERE endpoint = :id;

-- name: events
SELECT {stored_event} FROM outbox WHERE id > :after ORDER BY id LIMIT :limit;

-- name: last_event
SELECT max(id) FROM outbox;

-- name: told_of_message
SELECT recipient, status, ref, batch, due_at, possible_duplicate FROM messages WHERE id = :id;

-- name: next_number
INSERT INTO outbox_keys (key, last, at) VALUES (:key, 1, :now)
ON CONFLICT (key) DO UPDATE SET last = outbox_keys.last + 1, at = excluded.at
RETURNING last;

-- name: add_event
INSERT INTO outbox ({stored_event}) VALUES ({stored_event_values});

-- name: add_delivery
INSERT INTO deliveries (endpoint, event, key, state, next_at, tries) VALUES (?, ?, ?, ?, ?, 0);

-- name: event
SELECT {stored_event} FROM outbox WHERE id = :id;

-- name: due
-- In the order of the events, oldest first.
SELECT {delivery} FROM deliveries
WHERE endpoint = :endpoint AND state = 'waiting' AND next_at <= :now
ORDER BY next_at, event
LIMIT :limit;

-- name: due_in_order
-- Only the first of each key: the others wait for it, also while it waits for its next try.
SELECT {delivery} FROM deliveries AS d
WHERE endpoint = :endpoint AND state = 'waiting' AND next_at <= :now
    AND NOT EXISTS (
        SELECT 1 FROM deliveries AS earlier
        WHERE earlier.endpoint = :endpoint AND earlier.key = d.key AND earlier.event < d.event
            AND earlier.state = 'waiting'
    )
ORDER BY next_at, event
LIMIT :limit;

-- name: next_delivery
SELECT min(next_at) FROM deliveries WHERE endpoint = :endpoint AND state = 'waiting' AND next_at > :after;

-- name: clock_back
-- The clock went back: no try is to wait for the old time to come again.
UPDATE deliveries SET next_at = max(:after, next_at + :moved)
WHERE endpoint = :endpoint AND state = 'waiting' AND next_at > :after;

-- name: delivery
SELECT {delivery} FROM deliveries WHERE endpoint = :endpoint AND event = :event;

-- name: deliveries
SELECT {delivery} FROM deliveries
WHERE endpoint = :endpoint AND event < :before
ORDER BY event DESC
LIMIT :limit;

-- name: dead
-- By its own index: among a million delivered ones a dead letter is found at once.
SELECT {delivery} FROM deliveries
WHERE endpoint = :endpoint AND event < :before AND state = 'dead'
ORDER BY event DESC
LIMIT :limit;

-- name: waiting_of
SELECT count(*) FROM deliveries WHERE endpoint = :endpoint AND state = 'waiting';

-- name: dead_of
SELECT count(*) FROM deliveries WHERE endpoint = :endpoint AND state = 'dead';

-- name: oldest_waiting
SELECT at FROM outbox
WHERE id = (SELECT min(event) FROM deliveries WHERE endpoint = :endpoint AND state = 'waiting');

-- name: end_try
UPDATE deliveries SET state = ?, next_at = ?, tries = ? WHERE endpoint = ? AND event = ?;

-- name: add_try
INSERT INTO tries ({try}) VALUES ({try_values});

-- name: tries_of
SELECT {try} FROM tries WHERE endpoint = :endpoint AND id < :before ORDER BY id DESC LIMIT :limit;

-- name: to_replay
-- Also what is waiting is tried now.
SELECT event FROM deliveries
WHERE endpoint = :endpoint AND event BETWEEN :first AND :last AND state IN ('dead', 'waiting')
ORDER BY event
LIMIT :limit;

-- name: replay
-- Also one that was delivered, when it is named: somebody lost it.
UPDATE deliveries SET state = 'waiting', next_at = ?, tries = 0 WHERE endpoint = ? AND event = ?;

-- name: forget_tries
DELETE FROM tries WHERE at < :before AND id IN (SELECT id FROM tries ORDER BY id LIMIT :limit);

-- name: forget_deliveries
DELETE FROM deliveries
WHERE endpoint = :endpoint AND event IN (SELECT id FROM outbox WHERE at < :before ORDER BY id LIMIT :limit);

-- name: forget_events
DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE at < :before ORDER BY id LIMIT :limit);

-- name: old_keys
-- Of messages. A conversation's key is used again.
SELECT key FROM outbox_keys WHERE key > :after AND key < :before ORDER BY key LIMIT :limit;

-- name: open_message
SELECT 1 FROM messages
WHERE id = :id AND (close_at IS NOT NULL OR status IN ('queued', 'retry_wait', 'sending', 'in_doubt'));

-- name: forget_key
DELETE FROM outbox_keys WHERE key = ?;
