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
INSERT INTO deliveries (endpoint, event, key, state, next_at, tries) VALUES (?, ?, ?, 'waiting', ?, 0);
