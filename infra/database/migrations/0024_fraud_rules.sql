-- Fraud rules as data: versions that never change, runs of them, snoozes, and what they did.

CREATE TABLE fraud_rules (
    id UUID PRIMARY KEY DEFAULT uuidv7(),
    -- NULL: the platform's, which holds for every merchant.
    merchant_id UUID REFERENCES merchants (id),
    code TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT a_scope_has_a_code_once UNIQUE NULLS NOT DISTINCT (merchant_id, code),
    CONSTRAINT rule_code_is_a_word CHECK (code ~ '^[a-z][a-z0-9_]{2,63}$')
);

CREATE TABLE fraud_rule_versions (
    id UUID PRIMARY KEY DEFAULT uuidv7(),
    rule_id UUID NOT NULL REFERENCES fraud_rules (id),
    number INTEGER NOT NULL,
    expression TEXT NOT NULL,
    action TEXT NOT NULL,
    message TEXT NOT NULL,
    author TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT versions_of_a_rule_are_numbered UNIQUE (rule_id, number),
    CONSTRAINT version_is_of_its_rule UNIQUE (id, rule_id),
    -- Rules speak against a payment; only lists speak for one.
    CONSTRAINT rule_action_is_known CHECK (action IN ('block', 'challenge', 'review'))
);
CREATE TRIGGER rule_versions_are_immutable BEFORE UPDATE OR DELETE ON fraud_rule_versions
FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- When a version was evaluated with each payment, and whether its hits were heeded. What runs now
-- has no end. Runs are the one record of a rule's state and of its past.
CREATE TABLE fraud_rule_runs (
    id UUID PRIMARY KEY DEFAULT uuidv7(),
    rule_id UUID NOT NULL,
    version_id UUID NOT NULL,
    is_shadow BOOLEAN NOT NULL,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    started_by TEXT NOT NULL,
    ended_at TIMESTAMPTZ,
    ended_by TEXT,
    CONSTRAINT run_is_of_a_version FOREIGN KEY (version_id, rule_id)
    REFERENCES fraud_rule_versions (id, rule_id),
    CONSTRAINT run_ends_by_someone CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE UNIQUE INDEX one_version_decides_and_one_is_in_shadow
ON fraud_rule_runs (rule_id, is_shadow) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX a_version_runs_once ON fraud_rule_runs (version_id) WHERE ended_at IS NULL;
CREATE INDEX fraud_rule_runs_of_rule ON fraud_rule_runs (rule_id, started_at);

CREATE TRIGGER rule_runs_only_end BEFORE UPDATE ON fraud_rule_runs FOR EACH ROW
WHEN (
    old.ended_at IS NOT NULL
    OR (old.rule_id, old.version_id, old.is_shadow, old.started_at, old.started_by)
    IS DISTINCT FROM
    (new.rule_id, new.version_id, new.is_shadow, new.started_at, new.started_by)
) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rule_runs_are_kept BEFORE DELETE ON fraud_rule_runs
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE fraud_snoozes (
    id UUID PRIMARY KEY DEFAULT uuidv7(),
    rule_id UUID NOT NULL REFERENCES fraud_rules (id),
    -- Whose payments they are; the rule may be the platform's.
    merchant_id UUID NOT NULL REFERENCES merchants (id),
    kind TEXT NOT NULL,
    -- As in fraud_observations.
    entity BYTEA NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT snoozed_entity_is_a_hash CHECK (octet_length(entity) = 16),
    CONSTRAINT snoozed_kind_is_known CHECK (
        kind IN ('card', 'customer', 'email', 'ip', 'merchant', 'terminal')
    )
);
CREATE INDEX fraud_snoozes_of_entity ON fraud_snoozes (entity, ends_at);
CREATE INDEX fraud_snoozes_of_rule ON fraud_snoozes (rule_id, ends_at);

CREATE FUNCTION fraud_snoozed(p_merchant_id UUID, p_entities BYTEA [], p_now TIMESTAMPTZ)
RETURNS UUID []
LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(DISTINCT rule_id), '{}') FROM fraud_snoozes
    WHERE entity = ANY(p_entities) AND merchant_id = p_merchant_id
        AND created_at <= p_now AND p_now < ends_at
$$;
COMMENT ON FUNCTION fraud_snoozed IS
'The rules that say nothing at this moment about a payment with these entities.';

-- Each payment that a version hit, live or in shadow: what labels are held against.
CREATE TABLE fraud_rule_hits (
    version_id UUID NOT NULL REFERENCES fraud_rule_versions (id),
    payment_id UUID NOT NULL,
    merchant_id UUID NOT NULL,
    mode TEXT NOT NULL,
    hit_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (version_id, payment_id)
);
CREATE INDEX fraud_rule_hits_by_time ON fraud_rule_hits (version_id, hit_at);

-- What a version did on one day (UTC), with one merchant's payments.
CREATE TABLE fraud_rule_statistics (
    version_id UUID NOT NULL REFERENCES fraud_rule_versions (id),
    day DATE NOT NULL,
    merchant_id UUID NOT NULL,
    mode TEXT NOT NULL,
    evaluated BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    -- Hits by their payments' verdicts; the rest were allowed.
    challenged BIGINT NOT NULL,
    blocked BIGINT NOT NULL,
    PRIMARY KEY (version_id, day, merchant_id, mode)
);

-- Decisions older than this are in the statistics. NULL: none is.
CREATE TABLE fraud_statistics_folded (
    only_one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_one),
    folded_until TIMESTAMPTZ
);
INSERT INTO fraud_statistics_folded DEFAULT VALUES;
CREATE INDEX fraud_decisions_by_time ON fraud_decisions USING brin (created_at);

CREATE FUNCTION id_of_text(p_text TEXT) RETURNS UUID
LANGUAGE sql IMMUTABLE STRICT AS $$
    WITH digits AS (
        SELECT string_agg(
            (position(substr(right(p_text, 26), i, 1) IN '0123456789abcdefghjkmnpqrstvwxyz') - 1)
            ::BIT(5)::TEXT, '' ORDER BY i
        ) AS bits
        FROM generate_series(1, 26) AS i
    )
    SELECT string_agg(to_hex(substr(bits, 3 + 4 * i, 4)::BIT(4)::INTEGER), '' ORDER BY i)::UUID
    FROM digits, generate_series(0, 31) AS i
    WHERE p_text ~ '^[a-z]+_[0-7][0-9a-hjkmnp-tv-z]{25}$'
$$;
COMMENT ON FUNCTION id_of_text IS
'The id that was written as prefix_ and 26 base32 digits; NULL for any other text.';

-- Off the payment path: decisions are written whole, and counted here afterwards, each once.
CREATE FUNCTION fraud_fold_statistics(p_until TIMESTAMPTZ, p_most INTERVAL) RETURNS TIMESTAMPTZ
LANGUAGE plpgsql AS $$
DECLARE
    v_since TIMESTAMPTZ;
    v_until TIMESTAMPTZ;
BEGIN
    SELECT folded_until INTO v_since FROM fraud_statistics_folded FOR UPDATE;
    IF v_since IS NULL THEN
        SELECT coalesce(min(created_at), p_until) INTO v_since FROM fraud_decisions;
    END IF;
    v_until := greatest(v_since, least(p_until, v_since + p_most));
    WITH decided AS MATERIALIZED (
        SELECT payment_id, merchant_id, mode, verdict, trace, created_at,
            (created_at AT TIME ZONE 'UTC')::DATE AS day
        FROM fraud_decisions WHERE created_at >= v_since AND created_at < v_until
    ), hits AS MATERIALIZED (
        SELECT DISTINCT v.id AS version_id, d.payment_id, d.merchant_id, d.mode, d.verdict,
            d.created_at, d.day
        FROM decided AS d
        CROSS JOIN jsonb_array_elements(d.trace -> 'hits') AS h
        INNER JOIN fraud_rule_versions AS v ON v.id = id_of_text(h ->> 'id')
        WHERE h ->> 'source' = 'rule'
    ), errors AS (
        SELECT v.id AS version_id, d.merchant_id, d.mode, d.day
        FROM decided AS d
        CROSS JOIN jsonb_array_elements(d.trace -> 'errors') AS e
        INNER JOIN fraud_rule_versions AS v ON v.id = id_of_text(e ->> 'id')
    ), evaluated AS (
        SELECT r.version_id, d.merchant_id, d.mode, d.day, count(*) AS evaluated
        FROM decided AS d
        INNER JOIN fraud_rule_runs AS r
            ON r.started_at <= d.created_at AND (r.ended_at IS NULL OR d.created_at < r.ended_at)
        INNER JOIN fraud_rules AS l
            ON l.id = r.rule_id AND (l.merchant_id IS NULL OR l.merchant_id = d.merchant_id)
        WHERE NOT coalesce(d.trace -> 'skipped' ? 'rules', FALSE)
        GROUP BY r.version_id, d.merchant_id, d.mode, d.day
    ), recorded AS (
        INSERT INTO fraud_rule_hits (version_id, payment_id, merchant_id, mode, hit_at)
        SELECT version_id, payment_id, merchant_id, mode, created_at FROM hits
    ), counted AS (
        SELECT version_id, day, merchant_id, mode, evaluated, 0 AS errors, NULL AS verdict
        FROM evaluated
        UNION ALL
        SELECT version_id, day, merchant_id, mode, 0, 1, NULL FROM errors
        UNION ALL
        SELECT version_id, day, merchant_id, mode, 0, 0, verdict FROM hits
    )
    INSERT INTO fraud_rule_statistics AS s
        (version_id, day, merchant_id, mode, evaluated, errors, hits, challenged, blocked)
    SELECT version_id, day, merchant_id, mode, sum(evaluated), sum(errors), count(verdict),
        count(*) FILTER (WHERE verdict = 'CHALLENGE'), count(*) FILTER (WHERE verdict = 'BLOCK')
    FROM counted GROUP BY version_id, day, merchant_id, mode
    ON CONFLICT (version_id, day, merchant_id, mode) DO UPDATE SET
        evaluated = s.evaluated + excluded.evaluated, errors = s.errors + excluded.errors,
        hits = s.hits + excluded.hits, challenged = s.challenged + excluded.challenged,
        blocked = s.blocked + excluded.blocked;
    UPDATE fraud_statistics_folded SET folded_until = v_until;
    RETURN v_until;
END
$$;
COMMENT ON FUNCTION fraud_fold_statistics IS
'Decisions up to p_until, but of p_most at once, are in the statistics; answers up to when.';

-- The platform's rules from the start on: a merchant's limits, as its configuration gives them.
WITH said (code, expression, action, message) AS (
    VALUES
    (
        'amount_above_block_limit', 'amount > block_above', 'block',
        'The amount is above the limit at which payments are blocked.'
    ),
    (
        'amount_above_challenge_limit', 'amount > challenge_above && amount <= block_above',
        'challenge', 'The amount is above the limit at which payments are challenged.'
    ),
    (
        'too_many_payments', 'card_count_1h > max_payments_per_hour', 'challenge',
        'There are more payments with this card within an hour than the limit.'
    )
), made AS (
    INSERT INTO fraud_rules (code) SELECT code FROM said RETURNING id, code
), worded AS (
    INSERT INTO fraud_rule_versions (rule_id, number, expression, action, message, author)
    SELECT made.id, 1, said.expression, said.action, said.message, 'paynexus'
    FROM made INNER JOIN said ON said.code = made.code
    RETURNING id, rule_id
)
INSERT INTO fraud_rule_runs (rule_id, version_id, is_shadow, started_by)
SELECT rule_id, id, FALSE, 'paynexus' FROM worded;
SELECT fraud_revised(NULL);
