-- Limits of channels: a row each, and whom the present span has counted.

-- name: used
SELECT name, began, used FROM usage WHERE channel = :channel;

-- name: use
-- A new span begins at nothing. One that seems to begin earlier (the clock stepped back) goes on with the old one.
INSERT INTO usage (channel, name, began, used) VALUES (:channel, :name, :began, :more)
ON CONFLICT (channel, name) DO UPDATE SET
    used = CASE WHEN usage.began >= excluded.began THEN usage.used ELSE 0 END + excluded.used,
    began = max(usage.began, excluded.began);

-- name: counted
SELECT 1 FROM usage_recipients WHERE channel = :channel AND name = :name AND began = :began AND recipient = :recipient;

-- name: count_recipient
INSERT INTO usage_recipients (channel, name, began, recipient) VALUES (:channel, :name, :began, :recipient)
ON CONFLICT DO NOTHING;

-- name: forget_recipients
DELETE FROM usage_recipients WHERE channel = :channel AND name = :name AND began < :began;
