-- What an opening does before anything else.

-- name: release
-- Claimed, not armed: back to where it came from.
UPDATE messages SET queue = leased_from, leased_from = NULL
WHERE leased_from IS NOT NULL AND status IN ('queued', 'retry_wait');

-- name: armed
SELECT {attempt} FROM attempts WHERE state = 'armed' AND state IN ('armed', 'in_doubt') ORDER BY id;

-- name: half_sent
-- Still `sending` when all armed attempts have been dealt with: nothing of it is on the air.
SELECT id, leased_from FROM messages WHERE leased_from IS NOT NULL AND status = 'sending' ORDER BY leased_from, id;

-- name: last_id
-- The highest identifier ever given out, so that new ones grow even if the clock stepped back.
SELECT max(id)
FROM (
    SELECT max(id) AS id FROM messages
    UNION ALL SELECT max(id) FROM batches
    UNION ALL SELECT max(id) FROM attempts
    UNION ALL SELECT max(id) FROM reports
    UNION ALL SELECT max(id) FROM received
    UNION ALL SELECT max(id) FROM inbound
    UNION ALL SELECT max(id) FROM api_keys
    UNION ALL SELECT max(id) FROM endpoints
    UNION ALL SELECT max(id) FROM schedules
    UNION ALL SELECT max(id) FROM occurrences
    UNION ALL SELECT max(id) FROM conversations
    UNION ALL SELECT max(id) FROM opt_outs
    UNION ALL SELECT max(id) FROM calls
    UNION ALL SELECT max(id) FROM program_runs
    UNION ALL SELECT max(id) FROM tries
) AS highest;
