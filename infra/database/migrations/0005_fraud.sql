-- Fraud: lists that a payment is matched against, and what was decided about each payment.

CREATE TABLE matchlists (
    id UUID PRIMARY KEY DEFAULT uuidv7(),
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    verdict TEXT NOT NULL,
    note TEXT NOT NULL,
    -- NULL: the platform's list, which holds for every merchant.
    merchant_id UUID REFERENCES merchants (id),
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT value_is_listed_once UNIQUE NULLS NOT DISTINCT (kind, value, merchant_id),
    CONSTRAINT kind_is_known CHECK (kind IN ('fingerprint', 'email', 'country')),
    -- A match can only speak against a payment: adding one never lowers a verdict.
    CONSTRAINT match_challenges_or_blocks CHECK (verdict IN ('CHALLENGE', 'BLOCK')),
    CONSTRAINT value_is_in_its_normal_form CHECK (
        value <> '' AND CASE kind
            WHEN 'email' THEN value = lower(btrim(value))
            WHEN 'country' THEN value ~ '^[A-Z]{2}$'
            ELSE TRUE
        END
    )
);
CREATE INDEX matchlists_of_merchant ON matchlists (merchant_id);

CREATE TABLE fraud_decisions (
    payment_id UUID PRIMARY KEY,
    merchant_id UUID NOT NULL,
    mode TEXT NOT NULL,
    verdict TEXT NOT NULL,
    reasons JSONB NOT NULL,
    -- What the rules saw. No personal data: matches are named by their id, not their value.
    signals JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT verdict_is_known CHECK (verdict IN ('ALLOW', 'CHALLENGE', 'BLOCK')),
    CONSTRAINT mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT verdict_has_its_reasons CHECK ((verdict = 'ALLOW') = (reasons = '[]'::JSONB))
);
CREATE INDEX fraud_decisions_of_merchant ON fraud_decisions (merchant_id, mode, created_at);

CREATE TRIGGER decisions_are_immutable BEFORE UPDATE OR DELETE ON fraud_decisions
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER decisions_are_not_truncated BEFORE TRUNCATE ON fraud_decisions
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE VIEW audit.fraud_decision_has_no_payment AS
SELECT d.payment_id
FROM fraud_decisions AS d
WHERE NOT EXISTS (SELECT FROM transactions AS p WHERE p.id = d.payment_id);

CREATE VIEW audit.blocked_payment_was_charged AS
SELECT d.payment_id, a.reference
FROM fraud_decisions AS d
INNER JOIN attempts AS a ON a.payment_id = d.payment_id AND a.operation = 'charge'
WHERE d.verdict = 'BLOCK';

CREATE VIEW audit.fraud_verdict_is_milder_than_a_reason AS
SELECT d.payment_id, d.verdict, r ->> 'code' AS code
FROM fraud_decisions AS d
CROSS JOIN jsonb_array_elements(d.reasons) AS r
WHERE r ->> 'verdict' = 'BLOCK' AND d.verdict <> 'BLOCK';
