-- Facts can be told again from a moment on, when the log of them is lost. Block ranges cost
-- next to nothing to keep, and the rows lie in about the order of their time.

CREATE INDEX events_by_time ON events USING brin (created_at) WITH (autosummarize = on);
CREATE INDEX transfers_by_time ON transfers USING brin (created_at) WITH (autosummarize = on);
