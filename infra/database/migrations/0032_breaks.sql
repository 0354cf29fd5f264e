-- Breaks: where banks and gateways say something else than our books, and how each was explained.
-- A policy resolves a break, or one person proposes how and another approves.

CREATE TABLE breaks (
    id UUID PRIMARY KEY,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    mode TEXT NOT NULL,
    currency CHAR(3) NOT NULL,
    amount BIGINT NOT NULL,
    merchant_id UUID REFERENCES merchants (id),
    details JSONB NOT NULL DEFAULT '{}',
    policy TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'OPEN',
    assignee TEXT,
    opened_at TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    resolved_at TIMESTAMPTZ,
    resolution TEXT,
    transfer_id UUID,
    CONSTRAINT a_subject_breaks_once_a_type UNIQUE (type, subject),
    CONSTRAINT break_type_is_known CHECK (type IN (
        'missing', 'extra', 'amount', 'fee', 'currency', 'timing', 'duplicate', 'returned'
    )),
    CONSTRAINT break_mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT break_status_is_known CHECK (status IN ('OPEN', 'PROPOSED', 'RESOLVED')),
    CONSTRAINT resolved_break_says_when_and_why CHECK (
        (status = 'RESOLVED') = (resolved_at IS NOT NULL)
        AND (status = 'RESOLVED') = (resolution IS NOT NULL) AND resolution <> ''
    ),
    CONSTRAINT only_a_resolved_break_has_its_transfer CHECK (
        transfer_id IS NULL OR status = 'RESOLVED'
    )
);
-- Few are unresolved at a time, whatever was resolved over the years.
CREATE INDEX breaks_unresolved ON breaks (mode, due_at) WHERE status <> 'RESOLVED';

COMMENT ON COLUMN breaks.amount IS 'Minor units: what they say less what we say.';

-- The lifecycle; paynexus/settlement/breaks/model.py holds the same table.
CREATE FUNCTION break_may_become(p_old TEXT, p_new TEXT) RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_old
        WHEN 'OPEN' THEN p_new IN ('PROPOSED', 'RESOLVED')
        WHEN 'PROPOSED' THEN p_new IN ('OPEN', 'RESOLVED')
        ELSE FALSE
    END
$$;

CREATE FUNCTION guard_break() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'breaks are never deleted' USING ERRCODE = 'PN020';
    ELSIF TG_OP = 'INSERT' THEN
        IF NEW.status = 'PROPOSED' THEN
            RAISE EXCEPTION 'a break starts OPEN, or RESOLVED by its policy'
                USING ERRCODE = 'PN010';
        END IF;
    ELSIF (OLD.id, OLD.type, OLD.subject, OLD.mode, OLD.currency, OLD.amount, OLD.merchant_id,
            OLD.details, OLD.policy, OLD.opened_at, OLD.due_at) IS DISTINCT FROM
        (NEW.id, NEW.type, NEW.subject, NEW.mode, NEW.currency, NEW.amount, NEW.merchant_id,
            NEW.details, NEW.policy, NEW.opened_at, NEW.due_at) THEN
        RAISE EXCEPTION 'what a break is about never changes' USING ERRCODE = 'PN020';
    ELSIF OLD.status = 'RESOLVED'
        OR (OLD.status <> NEW.status AND NOT break_may_become(OLD.status, NEW.status)) THEN
        RAISE EXCEPTION 'a % break can not become %', OLD.status, NEW.status
            USING ERRCODE = 'PN010';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER break_follows_its_lifecycle BEFORE INSERT OR UPDATE OR DELETE ON breaks
FOR EACH ROW EXECUTE FUNCTION guard_break();
CREATE TRIGGER breaks_are_not_truncated BEFORE TRUNCATE ON breaks
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A name as four eyes compare it: " Ann" and "ann" are one pair of eyes.
CREATE FUNCTION name_of_a_person(p_name TEXT) RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(
        casefold(normalize(p_name, NFKC) COLLATE pg_unicode_fast) COLLATE pg_unicode_fast,
        '\s', '', 'g'
    )
$$;

-- What one person proposed to do about a break, and what another said to it.
CREATE TABLE break_resolutions (
    id UUID PRIMARY KEY,
    break_id UUID NOT NULL REFERENCES breaks (id),
    number SMALLINT NOT NULL,
    action TEXT NOT NULL,
    transfer JSONB,
    because TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at TIMESTAMPTZ NOT NULL,
    decided_by TEXT,
    decided_at TIMESTAMPTZ,
    is_approved BOOLEAN,
    -- Why it was refused.
    decision TEXT,
    CONSTRAINT proposals_of_a_break_are_numbered UNIQUE (break_id, number),
    CONSTRAINT break_resolution_action_is_known CHECK (action IN ('transfer', 'explanation')),
    CONSTRAINT a_transfer_is_proposed_in_full CHECK (
        (action = 'transfer') = (transfer IS NOT NULL)
    ),
    CONSTRAINT break_resolution_has_a_reason CHECK (because <> ''),
    CONSTRAINT proposer_has_a_name CHECK (name_of_a_person(proposed_by) <> ''),
    CONSTRAINT decider_has_a_name CHECK (name_of_a_person(decided_by) <> ''),
    CONSTRAINT decided_break_resolution_says_by_whom_when_and_how CHECK (
        (decided_by IS NULL) = (decided_at IS NULL) AND (decided_by IS NULL) = (is_approved IS NULL)
    ),
    CONSTRAINT refused_break_resolution_says_why CHECK (
        (is_approved IS FALSE) = (decision IS NOT NULL) AND decision <> ''
    ),
    CONSTRAINT four_eyes CHECK (
        name_of_a_person(decided_by) <> name_of_a_person(proposed_by)
    )
);
CREATE UNIQUE INDEX a_break_has_one_proposal_at_a_time ON break_resolutions (break_id)
WHERE decided_at IS NULL;
CREATE UNIQUE INDEX a_break_has_one_approved_resolution ON break_resolutions (break_id)
WHERE is_approved;

CREATE FUNCTION guard_break_resolution() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'proposals for breaks are never deleted' USING ERRCODE = 'PN020';
    ELSIF OLD.decided_at IS NOT NULL THEN
        RAISE EXCEPTION 'the proposal was decided before' USING ERRCODE = 'PN010';
    ELSIF (OLD.id, OLD.break_id, OLD.number, OLD.action, OLD.transfer, OLD.because,
            OLD.proposed_by, OLD.proposed_at) IS DISTINCT FROM
        (NEW.id, NEW.break_id, NEW.number, NEW.action, NEW.transfer, NEW.because,
            NEW.proposed_by, NEW.proposed_at) THEN
        RAISE EXCEPTION 'what was proposed never changes' USING ERRCODE = 'PN020';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER break_resolution_is_decided_once BEFORE UPDATE OR DELETE ON break_resolutions
FOR EACH ROW EXECUTE FUNCTION guard_break_resolution();
CREATE TRIGGER break_resolutions_are_not_truncated BEFORE TRUNCATE ON break_resolutions
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE INDEX dated_entries_by_number ON ledger_entries (account_id, id)
INCLUDE (type, delta) WHERE effective_at <> created_at;

-- The age of a clearing account. First in, first out over all its posted entries, in the order
-- of their recording: what comes in on one side is used up, the oldest first, by what comes on
-- the other. So what is left is the newest of the side that outweighs, and begins with the
-- first entry at which that side came to more than all of the other.
CREATE FUNCTION oldest_in_balance(p_account_id UUID) RETURNS TIMESTAMPTZ
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    debits BIGINT;
    credits BIGINT;
    side INTEGER;
    used BIGINT;
    low BIGINT;
    high BIGINT;
    middle BIGINT;
    -- The checkpoint that is known to lie before it, and what had come by then, dated or not.
    base BIGINT := -1;
    came BIGINT := 0;
    dated BIGINT := 0;
    -- The one that is known not to: without it nothing bounds what the planner would sort.
    until BIGINT := 9223372036854775807;
    sample BIGINT;
    sample_came BIGINT;
    sample_dated BIGINT;
BEGIN
    SELECT sum(b.debits_posted), sum(b.credits_posted) INTO debits, credits
    FROM account_balances AS b WHERE b.account_id = p_account_id;
    side := sign(debits - credits);
    IF coalesce(side, 0) = 0 THEN
        RETURN NULL;
    END IF;
    used := least(debits, credits);
    -- The last checkpoint up to which the side had come to no more than what is used up, by
    -- halving: some sixty look-ups, however many entries there are.
    SELECT min(c.through_id) - 1, max(c.through_id) + 1 INTO low, high
    FROM balance_checkpoints AS c WHERE c.account_id = p_account_id;
    WHILE high - low > 1 LOOP
        middle := low + (high - low) / 2;
        SELECT c.through_id, CASE side WHEN 1 THEN c.debits_posted ELSE c.credits_posted END
        INTO sample, sample_came
        FROM balance_checkpoints AS c
        WHERE c.account_id = p_account_id AND c.through_id > low AND c.through_id <= middle
        ORDER BY c.through_id DESC LIMIT 1;
        IF sample IS NULL THEN
            low := middle;
            CONTINUE;
        END IF;
        -- Checkpoints leave out what was dated. Each of those is looked at twice, at most.
        SELECT dated + coalesce(sum(abs(d.delta)), 0) INTO sample_dated FROM ledger_entries AS d
        WHERE d.account_id = p_account_id AND d.effective_at <> d.created_at
            AND d.id > base AND d.id <= sample AND d.type = 'posted' AND sign(d.delta) = side;
        IF sample_came + sample_dated > used THEN
            high := sample;
            until := sample;
        ELSE
            low := middle;
            base := sample;
            came := sample_came + sample_dated;
            dated := sample_dated;
        END IF;
    END LOOP;
    -- From there it is about a hundred entries.
    RETURN (
        SELECT ledger_entry_time(e.id) FROM (
            SELECT n.id, came + sum(abs(n.delta)) OVER (ORDER BY n.id) AS upto
            FROM ledger_entries AS n
            WHERE n.account_id = p_account_id AND n.id > base AND n.id <= until
                AND n.type = 'posted' AND sign(n.delta) = side
        ) AS e
        WHERE e.upto > used ORDER BY e.id LIMIT 1
    );
END
$$;
COMMENT ON FUNCTION oldest_in_balance IS
    'When the oldest entry was recorded that is still in the account''s posted balance, first in, '
    'first out; null where the balance is zero.';

CREATE VIEW audit.resolved_break_has_no_reason AS
SELECT id AS break_id FROM breaks
WHERE status = 'RESOLVED' AND (coalesce(btrim(resolution), '') = '' OR resolved_at IS NULL);

CREATE VIEW audit.break_status_differs_from_its_proposals AS
SELECT b.id AS break_id, b.status
FROM breaks AS b
LEFT JOIN (
    SELECT break_id, bool_or(decided_at IS NULL) AS is_open, bool_or(is_approved) AS is_approved
    FROM break_resolutions GROUP BY break_id
) AS r ON r.break_id = b.id
WHERE (b.status = 'PROPOSED') <> coalesce(r.is_open, FALSE)
    OR (b.status <> 'RESOLVED' AND r.is_approved);

CREATE VIEW audit.break_was_resolved_by_one_person AS
SELECT break_id, id AS resolution_id, proposed_by, decided_by
FROM break_resolutions
WHERE name_of_a_person(proposed_by) = name_of_a_person(decided_by);

CREATE VIEW audit.adjustment_belongs_to_no_approved_resolution AS
SELECT t.id AS transfer_id, t.object_id
FROM transfers AS t
WHERE t.kind = 'adjustment' AND t.object_id LIKE 'brk\_%' AND NOT EXISTS (
    SELECT FROM breaks AS b
    INNER JOIN break_resolutions AS r ON r.break_id = b.id AND r.is_approved
    WHERE b.transfer_id = t.id AND r.action = 'transfer'
);

CREATE VIEW audit.approved_resolution_differs_from_its_transfer AS
SELECT r.break_id, b.transfer_id
FROM break_resolutions AS r
INNER JOIN breaks AS b ON b.id = r.break_id
LEFT JOIN transfers AS t ON t.id = b.transfer_id
LEFT JOIN accounts AS d ON d.id = t.debit_account_id
LEFT JOIN accounts AS c ON c.id = t.credit_account_id
WHERE r.is_approved AND CASE r.action WHEN 'transfer' THEN
    (t.kind::TEXT, t.mode, t.currency, t.amount, d.type, c.type) IS DISTINCT FROM (
        'adjustment', b.mode, b.currency, (r.transfer ->> 'amount')::BIGINT,
        r.transfer -> 'debit' ->> 'type', r.transfer -> 'credit' ->> 'type'
    )
    ELSE b.transfer_id IS NOT NULL END;

CREATE VIEW audit.break_was_resolved_by_a_transfer_that_is_not_there AS
SELECT b.id AS break_id, b.transfer_id
FROM breaks AS b
WHERE b.transfer_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM transfers AS t WHERE t.id = b.transfer_id
);

-- What banks moved without a reason lies in suspense while its breaks are unresolved. Which
-- break is about which of it, SQL can't say; but there is never more than they are about. What
-- disputes and late approvals left in suspense is another matter: cases tell of it.
CREATE VIEW audit.suspense_is_more_than_unresolved_breaks_explain AS
SELECT s.mode, s.currency, s.held, coalesce(b.explained, 0) AS explained
FROM (
    SELECT a.mode, a.currency, -sum(e.delta) AS held
    FROM accounts AS a
    INNER JOIN ledger_entries AS e ON e.account_id = a.id AND e.type = 'posted'
    INNER JOIN transfers AS t ON t.id = e.transfer_id
    WHERE a.type = 'suspense' AND (
        t.kind IN (
            'unexplained_in', 'unexplained_out', 'gateway_payout', 'gateway_cost', 'payout_paid',
            'payout_rejected', 'payout_returned'
        )
        OR EXISTS (SELECT FROM breaks AS r WHERE r.transfer_id = t.id)
    )
    GROUP BY a.mode, a.currency
) AS s
LEFT JOIN (
    SELECT mode, currency, sum(abs(amount)) AS explained
    FROM breaks WHERE status <> 'RESOLVED' GROUP BY mode, currency
) AS b ON (b.mode, b.currency) = (s.mode, s.currency)
WHERE abs(s.held) > coalesce(b.explained, 0);
