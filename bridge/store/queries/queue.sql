-- The queue: a skip-scan over the priorities of one queue, each in order of due time, all inside the index.

-- name: next_priority
-- The highest priority below :below that has anything waiting.
SELECT max(priority) FROM messages WHERE queue = :queue AND priority < :below;

-- name: due
SELECT {message}
FROM messages
WHERE queue = :queue AND priority = :priority AND due_at <= :now
ORDER BY due_at, id
LIMIT :limit;

-- name: oldest
SELECT min(due_at) FROM messages WHERE queue = :queue AND priority = :priority;

-- name: lease
UPDATE messages SET queue = NULL, leased_from = ? WHERE id = ?;

-- name: release
-- Only what is still claimed: a message cancelled meanwhile stays as it is, and one that was changed meanwhile goes where
-- its change wants it. An empty code keeps the old one.
UPDATE messages
SET queue = CASE WHEN :as_of < 0 OR updated_at = :as_of THEN :queue ELSE leased_from END,
    due_at = CASE WHEN :as_of < 0 OR updated_at = :as_of THEN :due_at ELSE due_at END,
    leased_from = NULL,
    code = CASE WHEN :code = '' OR (:as_of >= 0 AND updated_at <> :as_of) THEN code ELSE :code END,
    reason = CASE WHEN :code = '' OR (:as_of >= 0 AND updated_at <> :as_of) THEN reason ELSE :reason END
WHERE id = :id AND queue IS NULL AND status IN ('queued', 'retry_wait');

-- name: clock_back
-- The clock went back: what was to go at once, or to be tried again, is not to wait for the old time to come again.
-- What was deferred waits for its time.
UPDATE messages SET due_at = max(:after, due_at + :moved)
WHERE queue IS NOT NULL AND due_at > :after
    AND (due_at <= created_at OR tries > 0 OR status = 'retry_wait' OR code = 'parts_left');

-- name: clock_lives
-- What was ordered by a clock that was wrong lives as long as it was to live.
UPDATE messages SET expires_at = expires_at + :moved, close_at = close_at + :moved
WHERE queue IS NOT NULL AND created_at BETWEEN :since AND :before AND expires_at IS NOT NULL;

-- name: clock_doubts
UPDATE attempts SET deadline = deadline + :moved
WHERE state = 'in_doubt' AND state IN ('armed', 'in_doubt') AND deadline IS NOT NULL
    AND (armed_at >= :since OR :moved < 0);

-- name: due_at_once
-- As `due`, but what was deferred stays: it has a time of its own, and the clock is not to be trusted.
SELECT {message}
FROM messages
WHERE queue = :queue AND priority = :priority AND due_at <= :now
    AND (due_at <= created_at OR tries > 0 OR status = 'retry_wait' OR code IN ('parts_left', 'resend'))
ORDER BY due_at, id
LIMIT :limit;

-- name: next_due
-- One step down the index for each priority of the queue.
WITH RECURSIVE steps (priority) AS (
    SELECT max(priority) FROM messages WHERE queue = :queue
    UNION ALL
    SELECT (SELECT max(m.priority) FROM messages m WHERE m.queue = :queue AND m.priority < steps.priority)
    FROM steps
    WHERE steps.priority IS NOT NULL
)
SELECT min((
    SELECT min(m.due_at)
    FROM messages m
    WHERE m.queue = :queue AND m.priority = steps.priority AND m.due_at > :after
))
FROM steps
WHERE steps.priority IS NOT NULL;

-- name: waiting
-- Read from the index alone: 20 ms for a million.
SELECT count(*) FROM messages WHERE queue IS NOT NULL;

-- name: next_queue
SELECT min(queue) FROM messages WHERE queue > :after;

-- name: due_of
SELECT count(*), min(due_at) FROM messages WHERE queue = :queue AND priority = :priority AND due_at <= :now;

-- name: expired
-- Waiting, not claimed: who claims or arms looks at the validity too.
SELECT id FROM messages WHERE close_at <= :now AND queue IS NOT NULL ORDER BY close_at LIMIT :limit;

-- name: without_report
SELECT id FROM messages WHERE close_at <= :now AND status = 'sent' ORDER BY close_at LIMIT :limit;

-- name: settled
-- Ended, and nothing more is awaited for it.
SELECT id FROM messages
WHERE close_at <= :now AND status NOT IN ('queued', 'retry_wait', 'sent')
ORDER BY close_at
LIMIT :limit;

-- name: stop_watching
UPDATE messages SET close_at = NULL WHERE id = ?;
