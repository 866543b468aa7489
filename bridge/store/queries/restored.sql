-- What a backup that was put back has open. Reads the whole table, once.

-- name: open
SELECT id, status FROM messages
WHERE status IN ('queued', 'retry_wait', 'in_doubt') AND (status = 'in_doubt' OR due_at <= :until)
ORDER BY id;

-- name: count
SELECT count(*) FROM messages;
