-- Fraud: what was decided about each payment, and what decisions are made from.

CREATE TABLE fraud_decisions (
    payment_id UUID PRIMARY KEY,
    merchant_id UUID NOT NULL,
    mode TEXT NOT NULL,
    verdict TEXT NOT NULL,
    reasons JSONB NOT NULL,
    -- All that spoke, in shadow too, and all that was seen: features, score, what was skipped.
    -- No personal data: matches are named by their id, not their value.
    trace JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT verdict_is_known CHECK (verdict IN ('ALLOW', 'CHALLENGE', 'BLOCK')),
    CONSTRAINT mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT verdict_has_its_reasons CHECK (verdict = 'ALLOW' OR reasons <> '[]'::JSONB)
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

-- Of a payment that no list allows.
CREATE VIEW audit.fraud_verdict_is_milder_than_a_reason AS
SELECT d.payment_id, d.verdict, r ->> 'code' AS code
FROM fraud_decisions AS d
CROSS JOIN jsonb_array_elements(d.reasons) AS r
WHERE (
    r ->> 'action' = 'block' AND d.verdict <> 'BLOCK'
    OR r ->> 'action' = 'challenge' AND d.verdict = 'ALLOW'
) AND NOT d.reasons @> '[{"action": "allow"}]';

-- What velocity counts, histories tell and back-tests replay: one row for each payment that is
-- judged, written before it is judged. Who paid is named by hashes (paynexus/fraud/model.py).
CREATE TABLE fraud_observations (
    payment_id UUID PRIMARY KEY,
    merchant_id UUID NOT NULL,
    mode TEXT NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    amount BIGINT NOT NULL,
    currency CHAR(3) NOT NULL,
    card BYTEA NOT NULL,
    customer BYTEA,
    email BYTEA,
    ip BYTEA,
    terminal BYTEA,
    CONSTRAINT observed_mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT observed_amount_is_positive CHECK (amount > 0)
);
CREATE INDEX fraud_observations_of_merchant
ON fraud_observations (merchant_id, mode, observed_at);
CREATE INDEX fraud_observations_of_card ON fraud_observations (card, observed_at);
CREATE INDEX fraud_observations_of_customer ON fraud_observations (customer, observed_at)
WHERE customer IS NOT NULL;
CREATE INDEX fraud_observations_of_email ON fraud_observations (email, observed_at)
WHERE email IS NOT NULL;
CREATE INDEX fraud_observations_of_ip ON fraud_observations (ip, observed_at)
WHERE ip IS NOT NULL;
CREATE INDEX fraud_observations_of_terminal ON fraud_observations (terminal, observed_at)
WHERE terminal IS NOT NULL;

-- Observations that the counters in Redis may have missed, until they have been told: while a
-- merchant has one, Postgres counts (paynexus/fraud/velocity).
CREATE TABLE fraud_velocity_gaps (
    payment_id UUID PRIMARY KEY,
    merchant_id UUID NOT NULL,
    mode TEXT NOT NULL,
    noticed_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX fraud_velocity_gaps_of_merchant ON fraud_velocity_gaps (merchant_id, mode);

CREATE FUNCTION fraud_velocity_has_gaps(p_merchant_id UUID, p_mode TEXT) RETURNS BOOLEAN
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM fraud_velocity_gaps WHERE merchant_id = p_merchant_id AND mode = p_mode
    )
$$;

-- What is known of a payment by hindsight, and since when: of several the latest holds.
CREATE TABLE fraud_labels (
    id UUID PRIMARY KEY DEFAULT uuidv7(),
    payment_id UUID NOT NULL,
    merchant_id UUID NOT NULL,
    mode TEXT NOT NULL,
    is_fraud BOOLEAN NOT NULL,
    source TEXT NOT NULL,
    -- Of the source: the dispute, the refund or the case's closing.
    source_id UUID NOT NULL,
    known_at TIMESTAMPTZ NOT NULL,
    -- As in the payment's observation.
    card BYTEA NOT NULL,
    terminal BYTEA,
    observed_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT a_source_labels_a_payment_one_way_once UNIQUE (source_id, payment_id, is_fraud),
    CONSTRAINT label_source_is_known CHECK (source IN ('dispute', 'refund', 'case')),
    CONSTRAINT labelled_mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT what_is_known_has_happened CHECK (observed_at <= known_at)
);
CREATE INDEX fraud_labels_of_payment ON fraud_labels (payment_id, known_at);
CREATE INDEX fraud_labels_of_merchant ON fraud_labels (merchant_id, mode, known_at);
CREATE INDEX fraud_labels_of_card ON fraud_labels (card, known_at);
CREATE INDEX fraud_labels_of_terminal ON fraud_labels (terminal, known_at)
WHERE terminal IS NOT NULL;

CREATE TRIGGER observations_are_immutable BEFORE UPDATE ON fraud_observations
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER labels_are_immutable BEFORE UPDATE OR DELETE ON fraud_labels
FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- One more with each change of rules, models or thresholds that decide: who holds an older
-- number reads them anew. Merchant NULL: the platform's, which hold for every merchant.
CREATE TABLE fraud_revisions (
    merchant_id UUID REFERENCES merchants (id),
    revision BIGINT NOT NULL DEFAULT 1,
    CONSTRAINT one_fraud_revision UNIQUE NULLS NOT DISTINCT (merchant_id)
);

CREATE FUNCTION fraud_revised(p_merchant_id UUID) RETURNS VOID
LANGUAGE sql AS $$
    INSERT INTO fraud_revisions AS r (merchant_id) VALUES (p_merchant_id)
    ON CONFLICT ON CONSTRAINT one_fraud_revision DO UPDATE SET revision = r.revision + 1
$$;
