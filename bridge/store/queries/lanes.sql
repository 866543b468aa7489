-- Strict order where it was asked for. See migrations/0005_schedules.sql for what a lane is.

-- name: join
INSERT INTO lanes (lane, message) VALUES (?, ?);

-- name: laned
SELECT message FROM lanes;

-- name: lane_of
SELECT lane FROM lanes WHERE message = :message;

-- name: leave
DELETE FROM lanes WHERE message = :message;

-- name: predecessor
-- The first one before it that is not out of the way: one for a time that has not come, or in doubt for long, is.
SELECT m.id
FROM lanes
JOIN messages m ON m.id = lanes.message
WHERE lanes.lane = :lane AND lanes.message < :message
    AND NOT (m.status = 'queued' AND m.tries = 0 AND m.due_at > :now)
    AND NOT (m.status = 'in_doubt' AND m.updated_at <= CASE WHEN m.priority >= :alarm THEN :alarm_since ELSE :since END)
ORDER BY lanes.message
LIMIT 1;

-- name: behind
-- Those of the lane that wait in the same queue behind a message that is parked: they need not be claimed to be parked.
SELECT m.id
FROM lanes
JOIN messages m ON m.id = lanes.message
WHERE lanes.lane = :lane AND lanes.message > :message AND lanes.queue IS NULL
    AND m.queue = :queue AND m.due_at <= :now AND m.tries = 0 AND m.status = 'queued'
ORDER BY lanes.message
LIMIT :limit;

-- name: park
UPDATE messages SET queue = '-', leased_from = NULL, code = ?, reason = ? WHERE id = ?;

-- name: note_parked
UPDATE lanes SET queue = ? WHERE lane = ? AND message = ?;

-- name: first_parked
SELECT message, queue FROM lanes WHERE lane = :lane AND queue IS NOT NULL ORDER BY message LIMIT 1;

-- name: unpark
UPDATE messages SET queue = :queue, code = '', reason = '' WHERE id = :message AND queue = '-';

-- name: note_unparked
UPDATE lanes SET queue = NULL WHERE lane = :lane AND message = :message;

-- name: hurry
-- What waited for the end of a doubt goes as soon as the doubt is over.
UPDATE messages SET due_at = :now
WHERE id IN (SELECT message FROM lanes WHERE lane = :lane AND queue IS NULL)
    AND code = :code AND queue IS NOT NULL AND due_at > :now;
