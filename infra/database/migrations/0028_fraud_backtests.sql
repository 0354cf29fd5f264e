-- Changes of what decides: replayed over the past, let through a gate, recorded, put back.

-- Which model scores whose payments, from which probabilities on, and what the gate asks.
-- NULL in a merchant's row: as the platform has it.
CREATE TABLE fraud_settings (
    -- NULL: the platform's, which hold for every merchant that has none of its own.
    merchant_id UUID REFERENCES merchants (id),
    model TEXT,
    model_state TEXT,
    challenge_at DOUBLE PRECISION,
    block_at DOUBLE PRECISION,
    -- Thresholds of the gate that differ from the defaults (paynexus/fraud/backtest/gate.py).
    gate JSONB NOT NULL DEFAULT '{}',
    CONSTRAINT fraud_settings_stand_once UNIQUE NULLS NOT DISTINCT (merchant_id),
    CONSTRAINT a_model_has_a_known_state CHECK (
        (model IS NULL) = (model_state IS NULL) AND model_state IN ('off', 'shadow', 'active')
    ),
    CONSTRAINT thresholds_are_probabilities_in_order CHECK (
        (challenge_at IS NULL) = (block_at IS NULL)
        AND challenge_at > 0 AND challenge_at <= block_at AND block_at <= 1
    )
);
INSERT INTO fraud_settings (merchant_id, model, model_state, challenge_at, block_at)
VALUES (NULL, 'handbook-1', 'shadow', 0.03409090909090909, 0.7115384615384616);

CREATE FUNCTION fraud_settings_of(p_merchant_id UUID) RETURNS JSONB
LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'model', CASE WHEN own.model IS NULL THEN platform.model ELSE own.model END,
        'model_state',
        CASE WHEN own.model IS NULL THEN platform.model_state ELSE own.model_state END,
        'challenge_at', coalesce(own.challenge_at, platform.challenge_at),
        'block_at', coalesce(own.block_at, platform.block_at),
        'gate', platform.gate || coalesce(own.gate, '{}')
    )
    FROM fraud_settings AS platform
    LEFT JOIN fraud_settings AS own ON own.merchant_id = p_merchant_id
    WHERE platform.merchant_id IS NULL
$$;
COMMENT ON FUNCTION fraud_settings_of IS
    'What holds for the merchant: its own choices over the platform''s; NULL asks for the latter.';

-- The platform's back-tests read a period of all merchants' payments.
CREATE INDEX fraud_observations_by_time ON fraud_observations USING brin (observed_at)
WITH (autosummarize = on);

CREATE TABLE fraud_backtests (
    id UUID PRIMARY KEY,
    -- NULL: the platform's, over the payments of every merchant.
    merchant_id UUID REFERENCES merchants (id),
    -- Whose payments are replayed; the change itself holds for both modes.
    mode TEXT NOT NULL,
    change JSONB NOT NULL,
    -- What the change is of, by its name outside.
    object TEXT NOT NULL,
    -- Payments from the one to before the other are judged; those before that are counted.
    period_from TIMESTAMPTZ NOT NULL,
    period_to TIMESTAMPTZ NOT NULL,
    warm_up_from TIMESTAMPTZ NOT NULL,
    requested_by TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    state TEXT NOT NULL DEFAULT 'PENDING',
    -- How often a worker took it up, and until when the last one has it: then it is another's.
    attempts INTEGER NOT NULL DEFAULT 0,
    taken_until TIMESTAMPTZ,
    -- What the change would replace, as it was when the past was replayed.
    replaces JSONB,
    report JSONB,
    failure TEXT,
    finished_at TIMESTAMPTZ,
    CONSTRAINT backtest_mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT backtest_state_is_known CHECK (
        state IN ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED')
    ),
    CONSTRAINT backtest_is_of_a_period CHECK (
        warm_up_from <= period_from AND period_from < period_to AND period_to <= created_at
    ),
    CONSTRAINT running_backtest_is_taken CHECK (
        (state = 'RUNNING') = (taken_until IS NOT NULL)
    ),
    CONSTRAINT completed_backtest_has_its_report CHECK (
        (state = 'COMPLETED') = (report IS NOT NULL)
        AND (report IS NULL) = (replaces IS NULL)
    ),
    CONSTRAINT failed_backtest_says_why CHECK ((state = 'FAILED') = (failure IS NOT NULL)),
    CONSTRAINT finished_backtest_has_its_time CHECK (
        (state IN ('COMPLETED', 'FAILED')) = (finished_at IS NOT NULL)
    )
);
CREATE INDEX fraud_backtests_of_merchant ON fraud_backtests (merchant_id, mode, id);
CREATE INDEX fraud_backtests_to_run ON fraud_backtests (id)
WHERE state IN ('PENDING', 'RUNNING');

CREATE FUNCTION guard_backtest() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('COMPLETED', 'FAILED')
        OR (OLD.id, OLD.merchant_id, OLD.mode, OLD.change, OLD.object, OLD.period_from,
            OLD.period_to, OLD.warm_up_from, OLD.requested_by, OLD.created_at)
        IS DISTINCT FROM
        (NEW.id, NEW.merchant_id, NEW.mode, NEW.change, NEW.object, NEW.period_from,
            NEW.period_to, NEW.warm_up_from, NEW.requested_by, NEW.created_at) THEN
        RAISE EXCEPTION 'what a back-test was asked, and what it answered, never changes'
            USING ERRCODE = 'PN020';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER backtest_is_finished_once BEFORE UPDATE ON fraud_backtests
FOR EACH ROW EXECUTE FUNCTION guard_backtest();
CREATE TRIGGER backtests_are_not_deleted BEFORE DELETE ON fraud_backtests
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE fraud_promotions (
    id UUID PRIMARY KEY,
    backtest_id UUID NOT NULL REFERENCES fraud_backtests (id),
    merchant_id UUID REFERENCES merchants (id),
    mode TEXT NOT NULL,
    object TEXT NOT NULL,
    -- What stood before, to be put back; and what stands since.
    replaced JSONB NOT NULL,
    stands JSONB NOT NULL,
    -- Each check of the gate, met or not.
    checks JSONB NOT NULL,
    -- Why the platform's operator let it through a gate that was closed.
    because TEXT,
    promoted_by TEXT NOT NULL,
    promoted_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX fraud_promotions_of_object ON fraud_promotions (merchant_id, object, id);
CREATE INDEX fraud_promotions_of_backtest ON fraud_promotions (backtest_id);

CREATE TABLE fraud_reversions (
    promotion_id UUID PRIMARY KEY REFERENCES fraud_promotions (id),
    reverted_by TEXT NOT NULL,
    reverted_at TIMESTAMPTZ NOT NULL
);

CREATE TRIGGER promotions_are_immutable BEFORE UPDATE OR DELETE ON fraud_promotions
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reversions_are_immutable BEFORE UPDATE OR DELETE ON fraud_reversions
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE VIEW audit.fraud_change_passed_a_closed_gate AS
SELECT p.id AS promotion_id, c ->> 'name' AS check_name
FROM fraud_promotions AS p
CROSS JOIN jsonb_array_elements(p.checks) AS c
WHERE NOT (c ->> 'is_met')::BOOLEAN AND (p.because IS NULL OR p.merchant_id IS NOT NULL);

CREATE VIEW audit.fraud_promotion_has_no_report AS
SELECT p.id AS promotion_id, b.state
FROM fraud_promotions AS p
INNER JOIN fraud_backtests AS b ON b.id = p.backtest_id
WHERE b.state <> 'COMPLETED'
    OR (b.merchant_id, b.mode, b.object) IS DISTINCT FROM (p.merchant_id, p.mode, p.object);

-- A change of the platform's is told as others are, though it belongs to no merchant.
CREATE OR REPLACE VIEW audit.event_belongs_to_no_merchant AS
SELECT id AS event_id, source, type FROM events
WHERE CASE
    WHEN merchant_id IS NULL THEN source <> 'gateways.events'
        AND type NOT IN ('fraud.promoted.v1', 'fraud.reverted.v1')
    ELSE source = 'gateways.events'
END;
