-- Facts that the bus will never take (too large, malformed): kept whole, for a person.

CREATE TABLE changefeed_rejects (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    object_id TEXT NOT NULL,
    -- TEXT, not JSONB: what is here may be just what no parser takes.
    detail TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    rejected_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE changefeed_rejects IS
    'One row per fact that was skipped; docs/runbooks/changefeed-rejected.md says what to do.';
