-- The books: two-phase double entry. A transfer moves an amount from its credit account to
-- its debit account, either at once (single) or in two steps: pending, then post or void.
-- The vocabulary is TigerBeetle's. Entries are debit-positive and never change.

CREATE TABLE accounts (
    id UUID PRIMARY KEY DEFAULT uuidv7(),
    type TEXT NOT NULL,
    normal_side TEXT NOT NULL,
    mode TEXT NOT NULL,
    currency CHAR(3) NOT NULL,
    merchant_id UUID REFERENCES merchants (id),
    -- Balances of a busy account are spread over this many rows, so that payments do not
    -- queue behind one lock.
    slots SMALLINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT one_account_per_name
    UNIQUE NULLS NOT DISTINCT (type, mode, currency, merchant_id),
    CONSTRAINT normal_side_is_debit_or_credit CHECK (normal_side IN ('debit', 'credit')),
    CONSTRAINT mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT account_has_slots CHECK (slots BETWEEN 1 AND 64),
    CONSTRAINT type_is_in_the_chart_of_accounts CHECK (type IN (
        'gateway_receivable', 'merchant_payable', 'reserve', 'fees', 'gateway_costs', 'cash',
        'settlement_in_transit', 'suspense', 'dispute', 'refund_in_flight'
    ))
);
CREATE INDEX accounts_of_merchant ON accounts (merchant_id);

CREATE TABLE account_balances (
    account_id UUID NOT NULL REFERENCES accounts (id),
    slot SMALLINT NOT NULL,
    debits_pending BIGINT NOT NULL DEFAULT 0,
    debits_posted BIGINT NOT NULL DEFAULT 0,
    credits_pending BIGINT NOT NULL DEFAULT 0,
    credits_posted BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, slot),
    CONSTRAINT totals_never_fall_below_zero CHECK (
        debits_pending >= 0 AND debits_posted >= 0
        AND credits_pending >= 0 AND credits_posted >= 0
    )
) WITH (fillfactor = 50);

CREATE TABLE transfers (
    id UUID PRIMARY KEY,
    state TEXT NOT NULL,
    pending_id UUID,
    kind TEXT NOT NULL,
    debit_account_id UUID NOT NULL,
    credit_account_id UUID NOT NULL,
    debit_slot SMALLINT NOT NULL,
    credit_slot SMALLINT NOT NULL,
    amount BIGINT NOT NULL,
    currency CHAR(3) NOT NULL,
    mode TEXT NOT NULL,
    merchant_id UUID,
    object_id TEXT NOT NULL,
    transaction_id UUID,
    sequence INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT transfer_moves_between_two_accounts CHECK (debit_account_id <> credit_account_id),
    CONSTRAINT transfer_amount_is_positive CHECK (amount > 0),
    CONSTRAINT transfer_state_is_known CHECK (state IN ('single', 'pending', 'post', 'void')),
    CONSTRAINT resolution_names_its_pending_transfer
    CHECK ((state IN ('post', 'void')) = (pending_id IS NOT NULL)),
    CONSTRAINT transfer_kind_is_known CHECK (kind IN (
        'payment', 'fee', 'refund', 'payout', 'payout_paid', 'payout_returned'
    ))
);
CREATE UNIQUE INDEX pending_transfer_is_resolved_once ON transfers (pending_id)
WHERE pending_id IS NOT NULL;
CREATE INDEX transfers_of_transaction ON transfers (transaction_id);
CREATE INDEX transfers_of_object ON transfers (object_id);

CREATE TABLE ledger_entries (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    transaction_id UUID,
    account_id UUID NOT NULL,
    delta BIGINT NOT NULL,
    balance_after BIGINT,
    type TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now(),
    transfer_id UUID NOT NULL,
    currency CHAR(3) NOT NULL,
    slot SMALLINT NOT NULL,
    effective_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (id, transfer_id),
    CONSTRAINT entry_type_is_known CHECK (type IN ('pending', 'posted', 'voided')),
    CONSTRAINT entry_moves_something CHECK (delta <> 0)
) PARTITION BY RANGE (transfer_id);
CREATE TABLE ledger_entries_default PARTITION OF ledger_entries DEFAULT;
CREATE INDEX entries_of_transfer ON ledger_entries (transfer_id);
CREATE INDEX entries_of_account ON ledger_entries (account_id, id);

COMMENT ON COLUMN ledger_entries.delta IS 'Debit-positive minor units.';
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
        SELECT FROM new_entries GROUP BY transfer_id, currency HAVING sum(delta) <> 0
    ) THEN
        RAISE EXCEPTION 'the entries of a transfer must sum to zero per currency'
            USING ERRCODE = 'PN021';
    END IF;
    IF EXISTS (
        SELECT FROM new_entries AS e
        WHERE NOT EXISTS (SELECT FROM transfers AS t WHERE t.id = e.transfer_id)
    ) THEN
        RAISE EXCEPTION 'an entry belongs to a transfer' USING ERRCODE = 'PN022';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER entries_sum_to_zero AFTER INSERT ON ledger_entries
REFERENCING NEW TABLE AS new_entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced_entries();

SELECT guard_partition('ledger_entries', 'ledger_entries_default');
SELECT make_partitions('ledger_entries', (now() AT TIME ZONE 'UTC')::DATE, 4);

CREATE FUNCTION ledger_account(
    p_type TEXT, p_mode TEXT, p_currency TEXT, p_merchant_id UUID
) RETURNS accounts
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    account accounts;
BEGIN
    SELECT * INTO account FROM accounts
    WHERE type = p_type AND mode = p_mode AND currency = p_currency
        AND merchant_id IS NOT DISTINCT FROM p_merchant_id;
    IF FOUND THEN
        RETURN account;
    END IF;
    INSERT INTO accounts (type, normal_side, mode, currency, merchant_id, slots)
    VALUES (
        p_type,
        CASE WHEN p_type IN (
            'gateway_receivable', 'gateway_costs', 'cash', 'dispute'
        ) THEN 'debit' ELSE 'credit' END,
        p_mode, p_currency, p_merchant_id,
        -- The platform's own accounts take part in every payment.
        CASE WHEN p_merchant_id IS NULL THEN 16 ELSE 1 END
    ) ON CONFLICT ON CONSTRAINT one_account_per_name DO NOTHING;
    SELECT * INTO account FROM accounts
    WHERE type = p_type AND mode = p_mode AND currency = p_currency
        AND merchant_id IS NOT DISTINCT FROM p_merchant_id;
    INSERT INTO account_balances (account_id, slot)
    SELECT account.id, n FROM generate_series(0, account.slots - 1) AS n
    ON CONFLICT DO NOTHING;
    RETURN account;
END
$$;
COMMENT ON FUNCTION ledger_account IS 'The account of this name, opened at first use.';

CREATE FUNCTION ledger_apply(
    p_account_id UUID, p_slot SMALLINT, p_is_debit BOOLEAN, p_pending BIGINT, p_posted BIGINT
) RETURNS account_balances
LANGUAGE sql AS $$
    UPDATE account_balances SET
        debits_pending = debits_pending + CASE WHEN p_is_debit THEN p_pending ELSE 0 END,
        debits_posted = debits_posted + CASE WHEN p_is_debit THEN p_posted ELSE 0 END,
        credits_pending = credits_pending + CASE WHEN p_is_debit THEN 0 ELSE p_pending END,
        credits_posted = credits_posted + CASE WHEN p_is_debit THEN 0 ELSE p_posted END
    WHERE account_id = p_account_id AND slot = p_slot
    RETURNING *
$$;

CREATE FUNCTION ledger_write(p_transfer transfers, p_pending BIGINT, p_posted BIGINT) RETURNS VOID
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    debit account_balances;
    credit account_balances;
    entry_type TEXT;
    moved BIGINT;
BEGIN
    INSERT INTO transfers VALUES (p_transfer.*);
    -- Rows are locked in the order of account ids, whichever side they stand on.
    IF p_transfer.debit_account_id < p_transfer.credit_account_id THEN
        debit := ledger_apply(
            p_transfer.debit_account_id, p_transfer.debit_slot, TRUE, p_pending, p_posted);
        credit := ledger_apply(
            p_transfer.credit_account_id, p_transfer.credit_slot, FALSE, p_pending, p_posted);
    ELSE
        credit := ledger_apply(
            p_transfer.credit_account_id, p_transfer.credit_slot, FALSE, p_pending, p_posted);
        debit := ledger_apply(
            p_transfer.debit_account_id, p_transfer.debit_slot, TRUE, p_pending, p_posted);
    END IF;
    IF p_posted <> 0 THEN
        entry_type := 'posted';
        moved := p_posted;
    ELSE
        entry_type := CASE WHEN p_pending > 0 THEN 'pending' ELSE 'voided' END;
        moved := p_pending;
    END IF;
    INSERT INTO ledger_entries (
        transaction_id, account_id, delta, balance_after, type, transfer_id, currency, slot,
        created_at, effective_at
    ) VALUES (
        p_transfer.transaction_id, p_transfer.debit_account_id, moved,
        CASE WHEN entry_type = 'posted' THEN debit.debits_posted - debit.credits_posted
            ELSE debit.debits_pending - debit.credits_pending END,
        entry_type, p_transfer.id, p_transfer.currency, p_transfer.debit_slot,
        p_transfer.created_at, p_transfer.created_at
    ), (
        p_transfer.transaction_id, p_transfer.credit_account_id, -moved,
        CASE WHEN entry_type = 'posted' THEN credit.debits_posted - credit.credits_posted
            ELSE credit.debits_pending - credit.credits_pending END,
        entry_type, p_transfer.id, p_transfer.currency, p_transfer.credit_slot,
        p_transfer.created_at, p_transfer.created_at
    );
END
$$;

CREATE FUNCTION ledger_existing(p_wanted transfers) RETURNS BOOLEAN
LANGUAGE plpgsql AS $$
DECLARE
    present transfers;
BEGIN
    SELECT * INTO present FROM transfers WHERE id = p_wanted.id;
    IF NOT FOUND THEN
        RETURN FALSE;
    END IF;
    IF (present.state, present.pending_id, present.kind, present.debit_account_id,
        present.credit_account_id, present.amount, present.currency)
        IS DISTINCT FROM
        (p_wanted.state, p_wanted.pending_id, p_wanted.kind, p_wanted.debit_account_id,
        p_wanted.credit_account_id, p_wanted.amount, p_wanted.currency) THEN
        RAISE EXCEPTION 'transfer % exists with other values', p_wanted.id
            USING ERRCODE = 'PN001';
    END IF;
    RETURN TRUE;
END
$$;

CREATE FUNCTION ledger_transfer(
    p_id UUID, p_state TEXT, p_kind TEXT, p_debit_type TEXT, p_debit_merchant UUID,
    p_credit_type TEXT, p_credit_merchant UUID, p_amount BIGINT, p_currency TEXT, p_mode TEXT,
    p_object_id TEXT, p_transaction_id UUID, p_at TIMESTAMPTZ
) RETURNS BOOLEAN
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    debit accounts;
    credit accounts;
    wanted transfers;
    is_pending BOOLEAN := p_state = 'pending';
    -- Without its sign: the least integer has no positive counterpart.
    spread INTEGER := hashtext(p_id::TEXT) & 2147483647;
BEGIN
    -- Accounts are opened in the order of their names, whichever side they stand on: two
    -- first transfers in opposite directions would wait for each other for ever.
    IF concat(p_debit_type, p_debit_merchant) < concat(p_credit_type, p_credit_merchant) THEN
        debit := ledger_account(p_debit_type, p_mode, p_currency, p_debit_merchant);
        credit := ledger_account(p_credit_type, p_mode, p_currency, p_credit_merchant);
    ELSE
        credit := ledger_account(p_credit_type, p_mode, p_currency, p_credit_merchant);
        debit := ledger_account(p_debit_type, p_mode, p_currency, p_debit_merchant);
    END IF;
    wanted := ROW(
        p_id, p_state, NULL, p_kind, debit.id, credit.id,
        spread % debit.slots, spread % credit.slots,
        p_amount, p_currency, p_mode, coalesce(p_credit_merchant, p_debit_merchant),
        p_object_id, p_transaction_id, 1, p_at
    );
    IF ledger_existing(wanted) THEN
        RETURN FALSE;
    END IF;
    PERFORM ledger_write(
        wanted,
        CASE WHEN is_pending THEN p_amount ELSE 0 END,
        CASE WHEN is_pending THEN 0 ELSE p_amount END
    );
    RETURN TRUE;
END
$$;
COMMENT ON FUNCTION ledger_transfer IS
    'Books a single or pending transfer; false when it existed already with the same values.';

CREATE FUNCTION ledger_resolve(
    p_id UUID, p_pending_id UUID, p_state TEXT, p_amount BIGINT, p_at TIMESTAMPTZ
) RETURNS BOOLEAN
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    pending transfers;
    earlier TEXT;
    wanted transfers;
BEGIN
    -- FOR UPDATE: two resolutions of one pending transfer queue here.
    SELECT * INTO pending FROM transfers WHERE id = p_pending_id AND state = 'pending' FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no pending transfer %', p_pending_id USING ERRCODE = 'PN002';
    END IF;
    wanted := pending;
    wanted.id := p_id;
    wanted.state := p_state;
    wanted.pending_id := p_pending_id;
    wanted.amount := coalesce(p_amount, pending.amount);
    wanted.sequence := pending.sequence + 1;
    wanted.created_at := p_at;
    IF ledger_existing(wanted) THEN
        RETURN FALSE;
    END IF;
    SELECT state INTO earlier FROM transfers WHERE pending_id = p_pending_id;
    IF earlier = 'post' THEN
        RAISE EXCEPTION 'pending transfer % was posted', p_pending_id USING ERRCODE = 'PN003';
    ELSIF earlier = 'void' THEN
        RAISE EXCEPTION 'pending transfer % was voided', p_pending_id USING ERRCODE = 'PN004';
    ELSIF wanted.amount > pending.amount THEN
        RAISE EXCEPTION 'a post can not exceed its pending amount' USING ERRCODE = 'PN005';
    END IF;
    -- The whole hold is released; what is posted of it may be less.
    PERFORM ledger_write(
        wanted, -pending.amount, CASE WHEN p_state = 'post' THEN wanted.amount ELSE 0 END
    );
    RETURN TRUE;
END
$$;
COMMENT ON FUNCTION ledger_resolve IS
    'Posts or voids a pending transfer, at most once; false when this was done before.';

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
    OR e.account_id <> CASE
        WHEN (e.delta > 0) = (t.state <> 'void') THEN t.debit_account_id
        ELSE t.credit_account_id
    END
    OR e.type <> CASE t.state
        WHEN 'pending' THEN 'pending' WHEN 'void' THEN 'voided' ELSE 'posted'
    END;

CREATE VIEW audit.posted_balance_differs_from_its_entries AS
SELECT b.account_id, b.slot, b.debits_posted - b.credits_posted AS balance, e.total AS entries
FROM account_balances AS b
LEFT JOIN (
    SELECT account_id, slot, sum(delta) AS total
    FROM ledger_entries WHERE type = 'posted' GROUP BY account_id, slot
) AS e ON e.account_id = b.account_id AND e.slot = b.slot
WHERE b.debits_posted - b.credits_posted <> coalesce(e.total, 0);

CREATE VIEW audit.pending_balance_differs_from_the_open_transfers AS
SELECT b.account_id, b.slot, b.debits_pending, b.credits_pending
FROM account_balances AS b
LEFT JOIN (
    SELECT account_id, slot, sum(debits) AS debits, sum(credits) AS credits
    FROM (
        SELECT debit_account_id AS account_id, debit_slot AS slot, amount AS debits, 0 AS credits
        FROM transfers AS p WHERE p.state = 'pending'
            AND NOT EXISTS (SELECT FROM transfers AS r WHERE r.pending_id = p.id)
        UNION ALL
        SELECT credit_account_id, credit_slot, 0, amount
        FROM transfers AS p WHERE p.state = 'pending'
            AND NOT EXISTS (SELECT FROM transfers AS r WHERE r.pending_id = p.id)
    ) AS sides GROUP BY account_id, slot
) AS o ON o.account_id = b.account_id AND o.slot = b.slot
WHERE b.debits_pending <> coalesce(o.debits, 0) OR b.credits_pending <> coalesce(o.credits, 0);

CREATE VIEW audit.debits_differ_from_credits AS
SELECT a.mode, a.currency,
    sum(b.debits_posted) AS debits_posted, sum(b.credits_posted) AS credits_posted,
    sum(b.debits_pending) AS debits_pending, sum(b.credits_pending) AS credits_pending
FROM account_balances AS b
INNER JOIN accounts AS a ON a.id = b.account_id
GROUP BY a.mode, a.currency
HAVING sum(b.debits_posted) <> sum(b.credits_posted)
    OR sum(b.debits_pending) <> sum(b.credits_pending);
