-- One row a person, for routes that stick to a channel.

-- name: known_by
SELECT channel FROM affinity WHERE recipient = :recipient;

-- name: stick
INSERT INTO affinity (recipient, channel, at) VALUES (:recipient, :channel, :now)
ON CONFLICT (recipient) DO UPDATE SET channel = excluded.channel, at = excluded.at;
