-- What came in. {received} and {inbound} stand for the columns of the structs in bridge.model.

-- name: add_received
INSERT INTO received ({received}) VALUES ({received_values});

-- name: received_like
SELECT {received}
FROM received
WHERE fingerprint = :fingerprint AND sim = :sim AND received_at >= :since
ORDER BY id;

-- name: received_parts
SELECT {received}
FROM received
WHERE sim = :sim AND sender = :sender AND reference = :reference AND wide = :wide AND total = :total
    AND inbound IS NULL
ORDER BY id;

-- name: incomplete
SELECT {received}
FROM received
WHERE received_at < :before AND inbound IS NULL AND reference IS NOT NULL
ORDER BY received_at, id
LIMIT :limit;

-- name: tie
UPDATE received SET inbound = ? WHERE id = ?;

-- name: add_inbound
INSERT INTO inbound ({inbound}) VALUES ({inbound_values});

-- name: inbound
SELECT {inbound} FROM inbound WHERE id = :id;

-- name: inbounds
SELECT {inbound}
FROM inbound
WHERE id < :before AND (:sender IS NULL OR sender = :sender) AND (:channel IS NULL OR channel = :channel)
    AND (:withheld OR withheld = '')
ORDER BY id DESC
LIMIT :limit;

-- name: last_replaceable
SELECT max(id) FROM inbound WHERE sim = :sim AND sender = :sender AND replace_type = :replace_type;
