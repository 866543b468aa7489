-- What is asked of the database from outside.

-- name: endpoints
SELECT
    e.id,
    e.enabled,
    e.disabled_reason,
    (SELECT count(*) FROM deliveries WHERE endpoint = e.id AND state = 'waiting'),
    (SELECT at FROM outbox WHERE id = (SELECT min(event) FROM deliveries WHERE endpoint = e.id AND state = 'waiting')),
    (SELECT count(*) FROM deliveries WHERE endpoint = e.id AND state = 'dead')
FROM endpoints AS e
ORDER BY e.id;

-- name: meta
SELECT name, value FROM meta;
