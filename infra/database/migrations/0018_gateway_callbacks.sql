-- What gateways say of their own accord: stored before it is understood, applied once.

CREATE TABLE gateway_callbacks (
    id UUID PRIMARY KEY,
    gateway TEXT NOT NULL,
    -- The gateway's own; made of the body's digest where none can be read.
    callback_id TEXT NOT NULL,
    -- Not kept where a card number could stand in it.
    body TEXT,
    digest BYTEA NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    -- How often it came, the first time included.
    deliveries INTEGER NOT NULL DEFAULT 1,
    state TEXT NOT NULL DEFAULT 'PENDING',
    -- What became of it, in one word (paynexus/payments/verdicts.py).
    verdict TEXT,
    attempt_id UUID,
    updated_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,
    CONSTRAINT callback_is_kept_once UNIQUE (gateway, callback_id),
    CONSTRAINT callback_state_is_known CHECK (state IN ('PENDING', 'APPLIED', 'REFUSED')),
    CONSTRAINT callback_has_a_verdict_and_a_time_when_finished CHECK (
        (state = 'PENDING') = (verdict IS NULL) AND (verdict IS NULL) = (finished_at IS NULL)
    ),
    CONSTRAINT applied_callback_speaks_of_an_attempt CHECK (
        state <> 'APPLIED' OR attempt_id IS NOT NULL
    )
);
CREATE INDEX gateway_callbacks_pending ON gateway_callbacks (updated_at) WHERE state = 'PENDING';
CREATE INDEX gateway_callbacks_by_age ON gateway_callbacks USING brin (received_at)
WITH (autosummarize = on);
CREATE INDEX gateway_callbacks_of_attempt ON gateway_callbacks (attempt_id);
COMMENT ON TABLE gateway_callbacks IS
    'One row per callback; docs/runbooks/callback-refused.md says what to do about REFUSED ones.';

CREATE FUNCTION guard_callback() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.id, OLD.gateway, OLD.callback_id, OLD.body, OLD.digest, OLD.received_at)
        IS DISTINCT FROM
        (NEW.id, NEW.gateway, NEW.callback_id, NEW.body, NEW.digest, NEW.received_at)
        OR (OLD.state <> 'PENDING' AND (OLD.state, OLD.verdict, OLD.attempt_id)
            IS DISTINCT FROM (NEW.state, NEW.verdict, NEW.attempt_id)) THEN
        RAISE EXCEPTION 'what gateway % said, and what became of it, never changes', OLD.gateway
            USING ERRCODE = 'PN020';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER callback_is_finished_once BEFORE UPDATE ON gateway_callbacks
FOR EACH ROW EXECUTE FUNCTION guard_callback();

CREATE VIEW audit.applied_callback_is_not_of_its_attempt AS
SELECT c.id AS callback_id, c.verdict, a.outcome
FROM gateway_callbacks AS c
LEFT JOIN attempts AS a ON a.id = c.attempt_id
WHERE c.state = 'APPLIED' AND c.verdict = 'confirmed'
    AND (a.outcome IS NULL OR a.outcome = 'UNKNOWN' OR a.gateway <> c.gateway);
