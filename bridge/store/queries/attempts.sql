-- Attempts, and the reports that find them. {attempt} stands for the columns of bridge.model.Attempt.

-- name: arm
INSERT INTO attempts (id, message, part, channel, sim, recipient, armed_at, epoch, state, deadline, possible_duplicate)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'armed', ?, ?);

-- name: accept
-- The usual end, see `end`.
UPDATE attempts SET state = 'accepted', ended_at = ?, reference = ?, tp_mr = ?, listening = ?
WHERE id = ? AND state = 'armed';

-- name: end
-- One legal move. What is not known now (empty, or below 0) keeps its value.
UPDATE attempts
SET state = :state,
    ended_at = :now,
    reference = CASE WHEN :reference = '' THEN reference ELSE :reference END,
    tp_mr = CASE WHEN :tp_mr < 0 THEN tp_mr ELSE :tp_mr END,
    code = CASE WHEN :code = '' THEN code ELSE :code END,
    cms = CASE WHEN :cms < 0 THEN cms ELSE :cms END,
    detail = CASE WHEN :detail = '' THEN detail ELSE :detail END,
    deadline = CASE WHEN :deadline < 0 THEN deadline ELSE :deadline END,
    listening = :listening
WHERE id = :id AND :allowed LIKE '%,' || state || ',%';

-- name: reported
UPDATE attempts
SET tp_st = :tp_st,
    fate = :fate,
    report_fingerprint = :fingerprint,
    reported_at = :at,
    discharged_at = :discharged_at,
    listening = :listening
WHERE id = :id;

-- name: attempt
SELECT {attempt} FROM attempts WHERE id = :id;

-- name: attempts
SELECT {attempt} FROM attempts WHERE message = :message ORDER BY id;

-- name: open_doubts
SELECT count(*) FROM attempts WHERE state = 'in_doubt' AND state IN ('armed', 'in_doubt');

-- name: oldest_doubt
SELECT min(coalesce(ended_at, armed_at)) FROM attempts WHERE state = 'in_doubt' AND state IN ('armed', 'in_doubt');

-- name: next_deadline
-- The state is named twice: equal to one value, and as the partial index has it.
SELECT min(deadline)
FROM attempts
WHERE state = 'in_doubt' AND deadline IS NOT NULL AND state IN ('armed', 'in_doubt');

-- name: doubts_due
SELECT {attempt}
FROM attempts
WHERE state = 'in_doubt' AND deadline <= :now AND state IN ('armed', 'in_doubt')
ORDER BY deadline, id
LIMIT :limit;

-- name: doubts_of
SELECT {attempt}
FROM attempts
WHERE sim = :sim AND state IN ('in_doubt', 'unresolved') AND (state = 'in_doubt' OR ended_at >= :since)
ORDER BY id DESC;

-- name: listening
-- A text delivered before :delivered is no longer listened for: a repeat of its report would have come.
SELECT {attempt}
FROM attempts
WHERE sim = :sim AND tp_mr = :tp_mr AND listening = 1
    AND (tp_st IS NULL OR tp_st >= 32 OR reported_at > :delivered)
ORDER BY id DESC;

-- name: listening_to
SELECT {attempt}
FROM attempts
WHERE sim = :sim AND recipient = :recipient AND listening = 1
    AND (tp_st IS NULL OR tp_st >= 32 OR reported_at > :delivered)
ORDER BY id DESC;

-- name: stop_listening
UPDATE attempts SET listening = 0 WHERE message = ? AND listening = 1;

-- name: by_reference
SELECT {attempt}
FROM attempts
WHERE channel = :channel AND reference = :reference AND tp_mr IS NULL
ORDER BY id DESC
LIMIT 1;

-- name: unreported
-- A provider's: its SIM is its channel.
SELECT attempts.reference, attempts.id, messages.recipient
FROM attempts JOIN messages ON messages.id = attempts.message
WHERE attempts.sim = :channel AND attempts.tp_mr IS NULL AND attempts.listening = 1
    AND attempts.reference IS NOT NULL AND (attempts.fate IS NULL OR attempts.fate = 'pending')
ORDER BY attempts.id DESC
LIMIT :limit;

-- name: before_newest
-- The attempt behind the newest :limit of a span of ids.
SELECT id FROM attempts WHERE id > :after AND id < :before ORDER BY id DESC LIMIT 1 OFFSET :limit;

-- name: due_reports
-- By the primary key, oldest first.
SELECT attempts.id, attempts.sim, attempts.recipient, coalesce(attempts.fate, '') = 'delivered'
FROM attempts JOIN messages ON messages.id = attempts.message
WHERE attempts.id > :after AND attempts.id < :before AND attempts.state IN ('accepted', 'accepted_late')
    AND messages.report = 1
ORDER BY attempts.id;

-- name: add_report
INSERT INTO reports ({report}) VALUES ({report_values});

-- name: assign_report
UPDATE reports SET attempt = :attempt WHERE id = :id;

-- name: reports
SELECT {report} FROM reports WHERE attempt = :attempt ORDER BY id;

-- name: orphans
SELECT {report}
FROM reports
WHERE sim = :sim AND received_at >= :since AND attempt IS NULL AND (:tp_mr IS NULL OR tp_mr = :tp_mr)
ORDER BY received_at, id;

-- name: orphans_named
SELECT {report}
FROM reports
WHERE sim = :sim AND received_at >= :since AND attempt IS NULL AND reference = :reference
ORDER BY received_at, id;
