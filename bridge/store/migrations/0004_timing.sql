-- Windows that came with an order or belong to a key: JSON, see bridge.policy.timing.gates.Asked. NULL: none.

ALTER TABLE messages ADD COLUMN windows TEXT;
ALTER TABLE messages ADD COLUMN asked_at INTEGER; -- when it was wanted, where windows moved its due_at from the start
ALTER TABLE api_keys ADD COLUMN windows TEXT;
