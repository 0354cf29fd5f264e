-- Fraud: cases for a person, labels as far as they are gathered, and what drifts.

CREATE TABLE fraud_cases (
    id UUID PRIMARY KEY,
    payment_id UUID NOT NULL,
    merchant_id UUID NOT NULL,
    mode TEXT NOT NULL,
    verdict TEXT NOT NULL,
    score DOUBLE PRECISION,
    amount BIGINT NOT NULL,
    currency CHAR(3) NOT NULL,
    state TEXT NOT NULL DEFAULT 'OPEN',
    outcome TEXT,
    assignee TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    closed_at TIMESTAMPTZ,
    CONSTRAINT a_payment_has_one_fraud_case UNIQUE (payment_id),
    CONSTRAINT fraud_case_mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT fraud_case_verdict_is_known CHECK (verdict IN ('ALLOW', 'CHALLENGE', 'BLOCK')),
    CONSTRAINT fraud_case_state_is_known CHECK (state IN ('OPEN', 'INVESTIGATING', 'CLOSED')),
    CONSTRAINT fraud_case_outcome_is_known CHECK (
        outcome IN ('confirmed', 'false_positive', 'unclear')
    ),
    CONSTRAINT closed_fraud_case_says_when_and_how CHECK (
        (state = 'CLOSED') = (closed_at IS NOT NULL) AND (state = 'CLOSED') = (outcome IS NOT NULL)
    ),
    CONSTRAINT investigated_fraud_case_is_somebodys CHECK (
        state <> 'INVESTIGATING' OR assignee IS NOT NULL
    )
);
CREATE INDEX fraud_cases_of_merchant ON fraud_cases (merchant_id, mode, id);

-- The lifecycle; paynexus/fraud/cases/model.py holds the same table.
CREATE FUNCTION fraud_case_may_become(p_old TEXT, p_new TEXT) RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_old
        WHEN 'OPEN' THEN p_new IN ('INVESTIGATING', 'CLOSED')
        WHEN 'INVESTIGATING' THEN p_new IN ('INVESTIGATING', 'CLOSED')
        WHEN 'CLOSED' THEN p_new = 'INVESTIGATING'
        ELSE FALSE
    END
$$;

CREATE FUNCTION guard_fraud_case() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'fraud cases are never deleted' USING ERRCODE = 'PN020';
    ELSIF (OLD.id, OLD.payment_id, OLD.merchant_id, OLD.mode, OLD.verdict, OLD.score, OLD.amount,
            OLD.currency, OLD.created_at) IS DISTINCT FROM
        (NEW.id, NEW.payment_id, NEW.merchant_id, NEW.mode, NEW.verdict, NEW.score, NEW.amount,
            NEW.currency, NEW.created_at) THEN
        RAISE EXCEPTION 'what a fraud case is about never changes' USING ERRCODE = 'PN020';
    ELSIF NOT fraud_case_may_become(OLD.state, NEW.state) THEN
        RAISE EXCEPTION 'a % fraud case can not become %', OLD.state, NEW.state
            USING ERRCODE = 'PN010';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER fraud_case_follows_its_lifecycle BEFORE UPDATE OR DELETE ON fraud_cases
FOR EACH ROW EXECUTE FUNCTION guard_fraud_case();

-- The diary of a case: what was written, and each step that was taken.
CREATE TABLE fraud_case_notes (
    id UUID PRIMARY KEY,
    case_id UUID NOT NULL REFERENCES fraud_cases (id),
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    author TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT fraud_case_note_kind_is_known CHECK (
        kind IN ('note', 'assigned', 'closed', 'reopened')
    )
);
CREATE INDEX fraud_case_notes_of_case ON fraud_case_notes (case_id, id);

CREATE TRIGGER fraud_case_notes_are_immutable BEFORE UPDATE OR DELETE ON fraud_case_notes
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER fraud_case_notes_are_not_truncated BEFORE TRUNCATE ON fraud_case_notes
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE VIEW audit.fraud_case_has_no_decision AS
SELECT c.id AS case_id, c.payment_id
FROM fraud_cases AS c
WHERE NOT EXISTS (
    SELECT FROM fraud_decisions AS d
    WHERE d.payment_id = c.payment_id AND d.verdict = c.verdict
);

-- Who closes a case says what the payment was, in the same commit.
CREATE VIEW audit.closed_fraud_case_has_no_label AS
SELECT c.id AS case_id, c.outcome
FROM fraud_cases AS c
INNER JOIN fraud_observations AS o ON o.payment_id = c.payment_id
WHERE c.outcome IN ('confirmed', 'false_positive') AND NOT EXISTS (
    SELECT FROM fraud_labels AS l
    INNER JOIN fraud_case_notes AS n ON n.id = l.source_id
    WHERE n.case_id = c.id AND n.created_at = c.closed_at
        AND l.is_fraud = (c.outcome = 'confirmed')
);

-- Up to when the sources of labels have been read.
CREATE TABLE fraud_label_progress (
    source TEXT PRIMARY KEY,
    read_until TIMESTAMPTZ NOT NULL,
    CONSTRAINT gathered_source_is_known CHECK (source IN ('dispute', 'refund'))
);

-- What labels are gathered from: few rows of many.
CREATE INDEX disputes_called_fraudulent ON disputes (updated_at) WHERE reason = 'fraudulent';
CREATE INDEX refunds_called_fraudulent ON refunds (created_at) WHERE reason = 'fraudulent';
CREATE INDEX fraud_labels_by_observation ON fraud_labels (mode, observed_at);

-- How far a week is from the month before it, by feature; `score` is the model's.
CREATE TABLE fraud_drift (
    day DATE NOT NULL,
    mode TEXT NOT NULL,
    feature TEXT NOT NULL,
    psi DOUBLE PRECISION NOT NULL,
    n INTEGER NOT NULL,
    reference_n INTEGER NOT NULL,
    PRIMARY KEY (day, mode, feature),
    CONSTRAINT drift_mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT drift_is_not_negative CHECK (psi >= 0)
);

-- Of the labelled payments of an ISO week, which starts on `week`: how they had been judged.
CREATE TABLE fraud_precision (
    week DATE NOT NULL,
    mode TEXT NOT NULL,
    stopped_fraud INTEGER NOT NULL,
    stopped_genuine INTEGER NOT NULL,
    allowed_fraud INTEGER NOT NULL,
    PRIMARY KEY (week, mode),
    CONSTRAINT precision_mode_is_test_or_live CHECK (mode IN ('test', 'live'))
);
