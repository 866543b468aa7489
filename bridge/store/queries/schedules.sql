-- Recurring sends. {schedule} and {occurrence} stand for the columns of the structs in bridge.model.

-- name: add
INSERT INTO schedules ({schedule}) VALUES ({schedule_values});

-- name: replace
-- All of it but its id.
REPLACE INTO schedules ({schedule}) VALUES ({schedule_values});

-- name: schedule
SELECT {schedule} FROM schedules WHERE id = :id;

-- name: schedules
SELECT {schedule} FROM schedules
WHERE id < :before AND (:client IS NULL OR client = :client)
ORDER BY id DESC
LIMIT :limit;

-- name: due
SELECT {schedule} FROM schedules WHERE next_at <= :now ORDER BY next_at, id LIMIT :limit;

-- name: next
SELECT min(next_at) FROM schedules WHERE next_at IS NOT NULL;

-- name: pass
-- On to the next occurrence. Only who finds it at this one may make it. One that was made before does not count again.
UPDATE schedules
SET next_at = :next_at,
    sent = sent + CASE WHEN EXISTS (SELECT 1 FROM occurrences WHERE schedule = :id AND due_at = :due_at) THEN 0 ELSE :sent END
WHERE id = :id AND next_at = :due_at AND updated_at = :updated_at;

-- name: occur
INSERT INTO occurrences ({occurrence}) VALUES ({occurrence_values}) ON CONFLICT (schedule, due_at) DO NOTHING;

-- name: occurrences
SELECT {occurrence} FROM occurrences
WHERE schedule = :schedule AND due_at < :before
ORDER BY due_at DESC
LIMIT :limit;

-- name: last_occurrence
SELECT max(due_at) FROM occurrences WHERE schedule = :schedule;

-- name: forget
DELETE FROM occurrences WHERE id IN (SELECT id FROM occurrences WHERE id < :before ORDER BY id LIMIT :limit);

-- name: remove_occurrences
DELETE FROM occurrences WHERE schedule = :id;

-- name: remove
DELETE FROM schedules WHERE id = :id;
