-- What is asked of the database from outside.

-- name: dead
SELECT count(*) FROM deliveries WHERE state = 'dead';

-- name: waiting
SELECT count(*), min(outbox.at) FROM deliveries JOIN outbox ON outbox.id = deliveries.event
WHERE deliveries.state = 'waiting';

-- name: meta
SELECT name, value FROM meta;
