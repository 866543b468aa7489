-- Keys, answers to be given again, and the store's own notes.

-- name: add_key
INSERT INTO api_keys ({api_key}) VALUES ({api_key_values});

-- name: revoke_key
UPDATE api_keys SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL;

-- name: keys
SELECT {api_key} FROM api_keys ORDER BY id;

-- name: key_by_digest
SELECT {api_key} FROM api_keys WHERE digest = :digest;

-- name: remember
INSERT INTO idempotency ({idempotency}) VALUES ({idempotency_values});

-- name: idempotent
SELECT {idempotency} FROM idempotency WHERE client = :client AND key = :key;

-- name: forget
-- Rows lie in the order they came: only the oldest are looked at.
DELETE FROM idempotency
WHERE created_at < :before AND id IN (SELECT id FROM idempotency ORDER BY id LIMIT :limit);

-- name: meta
SELECT value FROM meta WHERE name = :name;

-- name: set_meta
INSERT INTO meta (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
