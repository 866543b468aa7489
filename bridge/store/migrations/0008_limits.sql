-- What channels have sent of what they may. Written only for channels with limits.

CREATE TABLE usage (
    channel TEXT NOT NULL,
    name TEXT NOT NULL, -- "parts_per_day" ...
    began INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (channel, name)
) WITHOUT ROWID;

CREATE TABLE usage_recipients (
    channel TEXT NOT NULL,
    name TEXT NOT NULL,
    began INTEGER NOT NULL,
    recipient TEXT NOT NULL,
    PRIMARY KEY (channel, name, began, recipient)
) WITHOUT ROWID;
