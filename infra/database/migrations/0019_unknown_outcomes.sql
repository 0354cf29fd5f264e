-- Unknown outcomes: when each is asked for again, cases for a person, approvals that came late.

-- Set only while the outcome is UNKNOWN: what is known at once never touches the index.
ALTER TABLE attempts ADD COLUMN next_at TIMESTAMPTZ;
ALTER TABLE attempts ADD COLUMN rung INTEGER NOT NULL DEFAULT 0;
-- The charge is being called off: no approval counts any more, until the gateway refuses that.
ALTER TABLE attempts ADD COLUMN called_off_at TIMESTAMPTZ;
CREATE INDEX attempts_asked_for_again ON attempts (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE cases (
    id UUID PRIMARY KEY,
    kind TEXT NOT NULL,
    payment_id UUID NOT NULL,
    attempt_id UUID NOT NULL,
    opened_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    state TEXT NOT NULL DEFAULT 'OPEN',
    closed_at TIMESTAMPTZ,
    resolution TEXT,
    who TEXT,
    CONSTRAINT a_case_is_opened_once UNIQUE (attempt_id, kind),
    CONSTRAINT case_kind_is_known CHECK (
        kind IN ('unknown_outcome', 'contradiction', 'late_approval_kept')
    ),
    CONSTRAINT case_is_open_or_closed CHECK (state IN ('OPEN', 'CLOSED')),
    CONSTRAINT closed_case_says_by_whom_and_how CHECK (
        (state = 'OPEN') = (closed_at IS NULL)
        AND (state = 'OPEN') = (resolution IS NULL)
        AND (state = 'OPEN') = (who IS NULL)
    )
);
CREATE INDEX cases_open ON cases (due_at) WHERE state = 'OPEN';

CREATE FUNCTION close_case_of_attempt() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE cases SET
        state = 'CLOSED', closed_at = NEW.finished_at, resolution = NEW.outcome, who = 'paynexus'
    WHERE attempt_id = NEW.id AND kind = 'unknown_outcome' AND state = 'OPEN';
    RETURN NULL;
END
$$;
-- Whoever brings the certain word, an inquiry, a callback or a file: the case is closed with it.
CREATE TRIGGER certainty_closes_the_case AFTER UPDATE OF outcome ON attempts
FOR EACH ROW WHEN (OLD.outcome = 'UNKNOWN' AND NEW.outcome <> 'UNKNOWN')
EXECUTE FUNCTION close_case_of_attempt();

-- Money that a gateway took for a payment that had ended without it; its id is that of the
-- operation by which it goes back.
CREATE TABLE late_approvals (
    id UUID PRIMARY KEY,
    payment_id UUID NOT NULL,
    attempt_id UUID NOT NULL,
    reference TEXT NOT NULL,
    amount positive NOT NULL,
    currency CHAR(3) NOT NULL,
    transfer_id UUID NOT NULL,
    found_at TIMESTAMPTZ NOT NULL,
    taken_up_at TIMESTAMPTZ NOT NULL,
    returned_at TIMESTAMPTZ,
    reversal_id UUID,
    CONSTRAINT an_attempt_is_approved_late_once UNIQUE (attempt_id),
    CONSTRAINT a_return_is_booked CHECK ((returned_at IS NULL) = (reversal_id IS NULL))
);
CREATE INDEX late_approvals_not_returned ON late_approvals (taken_up_at)
WHERE returned_at IS NULL;

-- A technical cancel has no turn of its own: the charge that it calls off has.
CREATE VIEW audit.unknown_attempt_is_not_asked_for_again AS
SELECT a.id AS attempt_id, a.outcome, a.next_at
FROM attempts AS a
WHERE (a.outcome IS NOT DISTINCT FROM 'UNKNOWN') <> (a.next_at IS NOT NULL)
    AND NOT EXISTS (SELECT FROM attempts AS c WHERE c.id = a.operation_id);

CREATE VIEW audit.case_of_a_known_outcome_is_open AS
SELECT c.id AS case_id, a.outcome
FROM cases AS c
INNER JOIN attempts AS a ON a.id = c.attempt_id
WHERE c.kind = 'unknown_outcome' AND c.state = 'OPEN' AND a.outcome <> 'UNKNOWN';

CREATE VIEW audit.approved_charge_was_called_off AS
SELECT a.id AS attempt_id, a.payment_id
FROM attempts AS a
INNER JOIN attempts AS c ON c.operation_id = a.id
WHERE a.outcome = 'APPROVED' AND c.operation = 'cancel' AND c.outcome = 'APPROVED';

CREATE VIEW audit.late_approval_differs_from_the_ledger AS
SELECT l.id AS late_approval_id, t.kind, r.id AS reversal_id
FROM late_approvals AS l
LEFT JOIN transfers AS t ON t.id = l.transfer_id
LEFT JOIN transfers AS r ON r.reverses = l.transfer_id
WHERE (t.kind, t.amount, t.currency) IS DISTINCT FROM ('late_approval', l.amount, l.currency)
    OR r.id IS DISTINCT FROM l.reversal_id;
