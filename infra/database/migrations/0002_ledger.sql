-- The books: two-phase double entry. A transfer moves an amount from its credit account to
-- its debit account, either at once (single) or in two steps: pending, then posted, whole or
-- in parts, or void. The vocabulary is TigerBeetle's. Entries are debit-positive and never
-- change. What books is in 0012_ledger_transfers.sql.

-- Types, domains and row triggers instead of checks: Postgres reads a check's expression anew
-- at every statement, which was a fifth of the cost of a booking.
CREATE DOMAIN total AS BIGINT CONSTRAINT total_never_falls_below_zero CHECK (VALUE >= 0);
CREATE DOMAIN positive AS BIGINT CONSTRAINT amount_is_positive CHECK (VALUE > 0);
CREATE DOMAIN movement AS BIGINT CONSTRAINT entry_moves_something CHECK (VALUE <> 0);
CREATE TYPE transfer_state AS ENUM ('single', 'pending', 'post', 'void', 'expire');
CREATE TYPE transfer_kind AS ENUM (
    'payment', 'fee', 'refund', 'payout', 'payout_paid', 'payout_rejected', 'payout_returned',
    'gateway_payout', 'gateway_cost', 'unexplained_in', 'unexplained_out', 'dispute',
    'dispute_cover', 'dispute_excess', 'dispute_won', 'reserve_hold', 'reserve_release',
    'adjustment', 'import', 'reversal', 'late_approval'
);
CREATE TYPE entry_type AS ENUM ('pending', 'posted', 'voided');

CREATE TABLE accounts (
    id UUID PRIMARY KEY DEFAULT uuidv7(),
    type TEXT NOT NULL,
    normal_side TEXT NOT NULL,
    mode TEXT NOT NULL,
    currency CHAR(3) NOT NULL,
    merchant_id UUID REFERENCES merchants (id),
    -- New transfers are spread over this many rows of balances, so that those of a busy
    -- account do not queue behind one lock.
    slots SMALLINT NOT NULL DEFAULT 1,
    debits_must_not_exceed_credits BOOLEAN NOT NULL DEFAULT FALSE,
    credits_must_not_exceed_debits BOOLEAN NOT NULL DEFAULT FALSE,
    -- Checkpoints are kept of it, so that past balances are found without a long way back.
    keeps_history BOOLEAN NOT NULL DEFAULT TRUE,
    closed BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT normal_side_is_debit_or_credit CHECK (normal_side IN ('debit', 'credit')),
    CONSTRAINT mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT account_has_slots CHECK (slots BETWEEN 1 AND 64),
    CONSTRAINT account_is_limited_on_one_side_at_most CHECK (
        NOT (debits_must_not_exceed_credits AND credits_must_not_exceed_debits)
    ),
    CONSTRAINT type_is_in_the_chart_of_accounts CHECK (type IN (
        'gateway_receivable', 'merchant_payable', 'reserve', 'fees', 'gateway_costs', 'cash',
        'settlement_in_transit', 'suspense', 'dispute', 'refund_in_flight'
    ))
);
-- An account is known by its name. The nil UUID stands for the platform: an index can't look
-- for a merchant that is "not distinct from" null.
CREATE UNIQUE INDEX one_account_per_name ON accounts (
    type, mode, currency, coalesce(merchant_id, '00000000-0000-0000-0000-000000000000')
);
CREATE INDEX accounts_of_merchant ON accounts (merchant_id);

CREATE TABLE account_balances (
    account_id UUID NOT NULL REFERENCES accounts (id),
    slot SMALLINT NOT NULL,
    debits_pending total NOT NULL DEFAULT 0,
    debits_posted total NOT NULL DEFAULT 0,
    credits_pending total NOT NULL DEFAULT 0,
    credits_posted total NOT NULL DEFAULT 0,
    -- The account's own flags, repeated where a transfer meets them under its lock. Of a
    -- limited account, the slot's room is what it may still give: a limit that holds in each
    -- slot holds in their sum.
    closed BOOLEAN NOT NULL DEFAULT FALSE,
    room total,
    limits_debits BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (account_id, slot)
) WITH (fillfactor = 50);
COMMENT ON TABLE account_balances IS 'An account''s balance is the sum over its slots.';

CREATE TABLE transfers (
    id UUID PRIMARY KEY,
    state transfer_state NOT NULL,
    pending_id UUID,
    part SMALLINT,
    is_final BOOLEAN NOT NULL,
    kind transfer_kind NOT NULL,
    debit_account_id UUID NOT NULL,
    credit_account_id UUID NOT NULL,
    debit_slot SMALLINT NOT NULL,
    credit_slot SMALLINT NOT NULL,
    amount positive NOT NULL,
    released total NOT NULL,
    currency CHAR(3) NOT NULL,
    mode TEXT NOT NULL,
    merchant_id UUID,
    object_id TEXT NOT NULL,
    transaction_id UUID,
    sequence INTEGER NOT NULL,
    reverses UUID,
    expires_at TIMESTAMPTZ,
    metadata JSONB,
    effective_at TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX part_is_resolved_once ON transfers (pending_id, part)
WHERE pending_id IS NOT NULL;
CREATE UNIQUE INDEX transfer_is_reversed_once ON transfers (reverses) WHERE reverses IS NOT NULL;
CREATE INDEX transfers_of_transaction ON transfers (transaction_id)
WHERE transaction_id IS NOT NULL;
CREATE INDEX transfers_of_object ON transfers (object_id) WHERE transaction_id IS NULL;

COMMENT ON COLUMN transfers.released IS
    'How much of the pending transfer this resolution took out of the pending balances.';

CREATE FUNCTION guard_transfer() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    -- One expression for all that is in order: each costs anew in every transaction.
    IF NEW.debit_account_id <> NEW.credit_account_id
        AND (NEW.pending_id IS NOT NULL) = (NEW.state >= 'post')
        AND (NEW.part IS NOT NULL) = (NEW.state >= 'post')
        AND (NEW.released > 0) = (NEW.state >= 'post') THEN
        RETURN NEW;
    ELSIF NEW.debit_account_id = NEW.credit_account_id THEN
        RAISE EXCEPTION 'a transfer moves between two accounts' USING ERRCODE = 'PN035';
    END IF;
    RAISE EXCEPTION 'a resolution, and nothing else, releases a part of a pending transfer'
        USING ERRCODE = 'PN021';
END
$$;
CREATE TRIGGER transfer_is_well_formed BEFORE INSERT ON transfers
FOR EACH ROW EXECUTE FUNCTION guard_transfer();

-- Mutable on purpose: what is left of each pending transfer. Its final resolution deletes it.
CREATE TABLE open_holds (
    transfer_id UUID PRIMARY KEY,
    amount_left positive NOT NULL,
    parts SMALLINT NOT NULL DEFAULT 0,
    merchant_id UUID,
    expires_at TIMESTAMPTZ
) WITH (fillfactor = 80);
CREATE INDEX open_holds_of_merchant ON open_holds (merchant_id);
CREATE INDEX open_holds_by_expiry ON open_holds (expires_at) WHERE expires_at IS NOT NULL;

-- A transfer that was refused for want of funds can't succeed later under the same id.
CREATE TABLE failed_transfers (
    id UUID PRIMARY KEY,
    status TEXT NOT NULL,
    failed_at TIMESTAMPTZ NOT NULL
);

-- Entries are numbered by the microsecond of their booking, so that the order of the numbers
-- is that of recorded time: a month is a range of numbers, and so is "as known at".
CREATE FUNCTION ledger_entry_id_at(p_at TIMESTAMPTZ) RETURNS BIGINT
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    -- In UTC: only of a time without a zone is this immutable by itself, and thus has its place
    -- in the statement instead of being called.
    SELECT (extract(epoch FROM p_at AT TIME ZONE 'UTC') * 1000000)::BIGINT << 10
$$;
COMMENT ON FUNCTION ledger_entry_id_at IS 'The least number of an entry recorded at this time.';

CREATE FUNCTION ledger_entry_time(p_id BIGINT) RETURNS TIMESTAMPTZ
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT '1970-01-01 00:00:00+00'::TIMESTAMPTZ + (p_id >> 10) * INTERVAL '1 microsecond'
$$;
COMMENT ON FUNCTION ledger_entry_time IS 'When the entry of this number was recorded.';

CREATE SEQUENCE ledger_entry_numbers;

CREATE FUNCTION ledger_entry_number(p_at TIMESTAMPTZ, p_slot SMALLINT) RETURNS BIGINT
LANGUAGE sql VOLATILE STRICT AS $$
    -- Many may book on one account in the same microsecond, but each in a slot of its own.
    SELECT ledger_entry_id_at(p_at) + (p_slot << 4) + (nextval('ledger_entry_numbers') & 15)
$$;
COMMENT ON FUNCTION ledger_entry_number IS 'A number for an entry recorded at this time.';

CREATE TABLE ledger_entries (
    id BIGINT NOT NULL,
    transaction_id UUID,
    account_id UUID NOT NULL,
    delta movement NOT NULL,
    balance_after BIGINT NOT NULL,
    type entry_type NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    transfer_id UUID NOT NULL,
    currency CHAR(3) NOT NULL,
    slot SMALLINT NOT NULL,
    released BIGINT NOT NULL DEFAULT 0,
    effective_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, id)
) PARTITION BY RANGE (id);
CREATE TABLE ledger_entries_default PARTITION OF ledger_entries DEFAULT;
CREATE INDEX dated_entries ON ledger_entries (account_id, effective_at)
INCLUDE (id, type, delta, released) WHERE effective_at <> created_at;

COMMENT ON COLUMN ledger_entries.id IS
    'Microseconds since 1970 of created_at, times 1024, plus ten bits that tell entries apart: '
    'six of the slot, four of a sequence.';
COMMENT ON COLUMN ledger_entries.delta IS 'Debit-positive minor units.';
COMMENT ON COLUMN ledger_entries.released IS
    'Debit-positive minor units that left the pending balance when this was posted.';
COMMENT ON COLUMN ledger_entries.balance_after IS
    'Debits less credits of this type in the account''s slot, after this entry.';

CREATE TRIGGER entries_are_immutable BEFORE UPDATE OR DELETE ON ledger_entries
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entries_are_not_truncated BEFORE TRUNCATE ON ledger_entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transfers_are_immutable BEFORE UPDATE OR DELETE ON transfers
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transfers_are_not_truncated BEFORE TRUNCATE ON transfers
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Both entries of a transfer are written by one statement, so the sum is checked per
-- statement: one pass over the new rows instead of a deferred look-up for each.
CREATE FUNCTION refuse_unbalanced_entries() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM new_entries AS e GROUP BY transfer_id, currency
        HAVING sum(delta) <> 0 OR NOT EXISTS (SELECT FROM transfers WHERE id = e.transfer_id)
    ) THEN
        RAISE EXCEPTION 'the entries of a transfer that exists must sum to zero per currency'
            USING ERRCODE = 'PN021';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER entries_sum_to_zero AFTER INSERT ON ledger_entries
REFERENCING NEW TABLE AS new_entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced_entries();

SELECT guard_partition('ledger_entries', 'ledger_entries_default');
SELECT make_partitions('ledger_entries', (now() AT TIME ZONE 'UTC')::DATE, 4);

CREATE VIEW audit.transfer_entries_do_not_sum_to_zero AS
SELECT transfer_id, currency, sum(delta) AS difference
FROM ledger_entries
GROUP BY transfer_id, currency
HAVING sum(delta) <> 0;

CREATE VIEW audit.transfer_has_not_two_entries AS
SELECT t.id AS transfer_id, count(e.id) AS entries
FROM transfers AS t
LEFT JOIN ledger_entries AS e ON e.transfer_id = t.id
GROUP BY t.id
HAVING count(e.id) <> 2;

CREATE VIEW audit.entry_has_no_transfer AS
SELECT e.id AS entry_id, e.transfer_id
FROM ledger_entries AS e
WHERE NOT EXISTS (SELECT FROM transfers AS t WHERE t.id = e.transfer_id);

CREATE VIEW audit.entry_differs_from_its_transfer AS
SELECT e.id AS entry_id, e.transfer_id
FROM ledger_entries AS e
INNER JOIN transfers AS t ON t.id = e.transfer_id
WHERE e.currency <> t.currency
    OR abs(e.delta) <> t.amount
    OR abs(e.released) <> CASE WHEN t.state = 'post' THEN t.released ELSE 0 END
    OR e.created_at <> t.created_at
    OR e.effective_at <> t.effective_at
    OR e.transaction_id IS DISTINCT FROM t.transaction_id
    OR e.account_id <> CASE
        WHEN (e.delta > 0) = (t.state NOT IN ('void', 'expire')) THEN t.debit_account_id
        ELSE t.credit_account_id
    END
    OR e.type <> (CASE t.state
        WHEN 'pending' THEN 'pending' WHEN 'void' THEN 'voided' WHEN 'expire' THEN 'voided'
        ELSE 'posted'
    END)::entry_type;

CREATE VIEW audit.entry_number_differs_from_its_time AS
SELECT id AS entry_id, created_at FROM ledger_entries
WHERE ledger_entry_time(id) <> created_at;

CREATE VIEW audit.balance_differs_from_its_entries AS
SELECT b.account_id, b.posted, e.posted AS entries_posted, b.pending, e.pending AS entries_pending
FROM (
    SELECT account_id, sum(debits_posted - credits_posted) AS posted,
        sum(debits_pending - credits_pending) AS pending
    FROM account_balances GROUP BY account_id
) AS b
LEFT JOIN (
    SELECT account_id, sum(delta) FILTER (WHERE type = 'posted') AS posted,
        sum(CASE WHEN type = 'posted' THEN -released ELSE delta END) AS pending
    FROM ledger_entries GROUP BY account_id
) AS e ON e.account_id = b.account_id
WHERE b.posted <> coalesce(e.posted, 0) OR b.pending <> coalesce(e.pending, 0);

CREATE VIEW audit.pending_balance_differs_from_the_open_holds AS
SELECT b.account_id, b.slot, b.debits_pending, b.credits_pending
FROM account_balances AS b
LEFT JOIN (
    SELECT account_id, slot, sum(debits) AS debits, sum(credits) AS credits
    FROM (
        SELECT t.debit_account_id AS account_id, t.debit_slot AS slot, h.amount_left AS debits,
            0 AS credits
        FROM open_holds AS h INNER JOIN transfers AS t ON t.id = h.transfer_id
        UNION ALL
        SELECT t.credit_account_id, t.credit_slot, 0, h.amount_left
        FROM open_holds AS h INNER JOIN transfers AS t ON t.id = h.transfer_id
    ) AS sides GROUP BY account_id, slot
) AS o ON o.account_id = b.account_id AND o.slot = b.slot
WHERE b.debits_pending <> coalesce(o.debits, 0) OR b.credits_pending <> coalesce(o.credits, 0);

CREATE VIEW audit.hold_differs_from_its_transfers AS
SELECT p.id AS transfer_id, p.amount, r.released, h.amount_left
FROM transfers AS p
LEFT JOIN (
    SELECT pending_id, sum(released) AS released, max(part) AS parts, bool_or(is_final) AS is_final
    FROM transfers WHERE pending_id IS NOT NULL GROUP BY pending_id
) AS r ON r.pending_id = p.id
LEFT JOIN open_holds AS h ON h.transfer_id = p.id
WHERE p.state = 'pending' AND (
    p.amount <> coalesce(r.released, 0) + coalesce(h.amount_left, 0)
    OR (h.transfer_id IS NULL) <> coalesce(r.is_final, FALSE)
    OR coalesce(h.parts, r.parts) <> coalesce(r.parts, 0)
);

CREATE VIEW audit.hold_has_no_pending_transfer AS
SELECT h.transfer_id
FROM open_holds AS h
WHERE NOT EXISTS (SELECT FROM transfers AS t WHERE t.id = h.transfer_id AND t.state = 'pending');

CREATE VIEW audit.resolution_has_no_pending_transfer AS
SELECT r.id AS transfer_id, r.pending_id
FROM transfers AS r
LEFT JOIN transfers AS p ON p.id = r.pending_id AND p.state = 'pending'
WHERE r.pending_id IS NOT NULL AND (
    p.id IS NULL OR r.amount > r.released
    OR (p.debit_account_id, p.credit_account_id, p.currency, p.mode)
    IS DISTINCT FROM (r.debit_account_id, r.credit_account_id, r.currency, r.mode)
);

CREATE VIEW audit.transfer_failed_and_exists AS
SELECT f.id AS transfer_id, f.status
FROM failed_transfers AS f
INNER JOIN transfers AS t ON t.id = f.id;

CREATE VIEW audit.transfer_differs_from_its_accounts AS
SELECT t.id AS transfer_id, t.currency, t.mode
FROM transfers AS t
LEFT JOIN accounts AS d ON d.id = t.debit_account_id
LEFT JOIN accounts AS c ON c.id = t.credit_account_id
WHERE (t.currency, t.mode, t.currency, t.mode)
    IS DISTINCT FROM (d.currency, d.mode, c.currency, c.mode);

CREATE VIEW audit.account_flags_differ_from_its_slots AS
SELECT a.id AS account_id, b.slot
FROM accounts AS a
LEFT JOIN account_balances AS b ON b.account_id = a.id
WHERE b.slot IS NULL
    OR (a.closed, a.debits_must_not_exceed_credits, a.credits_must_not_exceed_debits)
    IS DISTINCT FROM (b.closed, b.limits_debits, b.room IS NOT NULL AND NOT b.limits_debits)
    OR b.room IS DISTINCT FROM CASE
        WHEN a.debits_must_not_exceed_credits
            THEN b.credits_posted - b.debits_posted - b.debits_pending
        WHEN a.credits_must_not_exceed_debits
            THEN b.debits_posted - b.credits_posted - b.credits_pending
    END;

CREATE VIEW audit.account_stands_on_the_wrong_side AS
SELECT id AS account_id, type, normal_side
FROM accounts
WHERE (normal_side = 'debit') <> (type IN (
    'gateway_receivable', 'gateway_costs', 'cash', 'dispute'
));

CREATE VIEW audit.limited_account_is_overdrawn AS
SELECT a.id AS account_id, sum(b.credits_posted - b.debits_posted) AS posted
FROM accounts AS a
INNER JOIN account_balances AS b ON b.account_id = a.id
WHERE a.debits_must_not_exceed_credits OR a.credits_must_not_exceed_debits
GROUP BY a.id
HAVING (a.debits_must_not_exceed_credits
    AND sum(b.credits_posted - b.debits_posted - b.debits_pending) < 0)
    OR (a.credits_must_not_exceed_debits
    AND sum(b.debits_posted - b.credits_posted - b.credits_pending) < 0);

-- Only an account that was never spread has entries whose running balance is the account's.
CREATE VIEW audit.balance_after_differs_from_the_running_sum AS
SELECT account_id, entry_id, type, balance_after, running
FROM (
    SELECT e.account_id, e.id AS entry_id, e.type, e.balance_after,
        CASE WHEN e.type = 'posted'
            THEN sum(CASE WHEN e.type = 'posted' THEN e.delta ELSE 0 END) OVER in_order
            ELSE sum(CASE WHEN e.type = 'posted' THEN -e.released ELSE e.delta END) OVER in_order
        END AS running
    FROM ledger_entries AS e
    INNER JOIN accounts AS a ON a.id = e.account_id AND a.slots = 1
    WHERE NOT EXISTS (
        SELECT FROM account_balances AS b WHERE b.account_id = a.id AND b.slot > 0
    )
    WINDOW in_order AS (PARTITION BY e.account_id ORDER BY e.id)
) AS entries
WHERE balance_after <> running;

CREATE VIEW audit.debits_differ_from_credits AS
SELECT a.mode, a.currency,
    sum(b.debits_posted) AS debits_posted, sum(b.credits_posted) AS credits_posted,
    sum(b.debits_pending) AS debits_pending, sum(b.credits_pending) AS credits_pending
FROM account_balances AS b
INNER JOIN accounts AS a ON a.id = b.account_id
GROUP BY a.mode, a.currency
HAVING sum(b.debits_posted) <> sum(b.credits_posted)
    OR sum(b.debits_pending) <> sum(b.credits_pending);
