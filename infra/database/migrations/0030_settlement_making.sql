-- Making settlements. Who holds all balances of an account sees every entry with a number up to now, and
-- none with a lower one can follow: entries are numbered under the lock of the balance they move.

CREATE TYPE settlement_plan AS (
    id UUID,
    object_id TEXT,
    account_id UUID,
    cutoff TIMESTAMPTZ,
    minimum_amount BIGINT,
    reserve_basis_points INTEGER,
    release_at TIMESTAMPTZ,
    expected_on DATE,
    end_to_end_id TEXT,
    instruction JSONB,
    payout_id UUID,
    reserve_id UUID
);

CREATE FUNCTION settlement_lock(p_account accounts, p_with_reserve BOOLEAN) RETURNS BIGINT
LANGUAGE plpgsql AS $$
DECLARE
    others UUID [] := ARRAY[
        (ledger_account('settlement_in_transit', p_account.mode, p_account.currency, NULL)).id];
    available BIGINT;
BEGIN
    IF p_with_reserve THEN
        others := others || (ledger_account(
            'reserve', p_account.mode, p_account.currency, p_account.merchant_id)).id;
    END IF;
    -- In the order of all bookings: those of a merchant, its payouts and their ends never wait in
    -- a circle.
    PERFORM FROM account_balances AS b
    INNER JOIN accounts AS a ON a.id = b.account_id
    WHERE b.account_id = p_account.id
        OR b.account_id = ANY(others) AND b.slot = (pg_backend_pid() % a.slots)::SMALLINT
    ORDER BY b.account_id, b.slot FOR UPDATE OF b;
    SELECT sum(credits_posted - debits_posted - debits_pending) INTO available
    FROM account_balances WHERE account_id = p_account.id;
    RETURN coalesce(available, 0);
END
$$;
COMMENT ON FUNCTION settlement_lock IS
    'All balances of the account are locked; what of it nobody has reserved.';

CREATE FUNCTION settlement_sum(p_account_id UUID, p_through BIGINT) RETURNS BIGINT
LANGUAGE plpgsql STABLE AS $$
DECLARE
    totals ledger_totals := ledger_totals_at(p_account_id, 'infinity', p_through + 1);
BEGIN
    -- The balance right after the entry, and what settlements had not taken from it by then
    -- though they pay entries before it: no entry is read but those since the last checkpoint.
    RETURN totals.credits_posted - totals.debits_posted - coalesce((
        SELECT sum(s.amount + s.reserve_amount) FROM settlements AS s
        WHERE s.account_id = p_account_id AND s.booked_entry > p_through
    ), 0)::BIGINT;
END
$$;
COMMENT ON FUNCTION settlement_sum IS
    'What all entries up to this one have left to pay, past settlements counted as paid.';

CREATE FUNCTION settlement_affordable(
    p_account_id UUID, p_after BIGINT, p_through BIGINT, p_available BIGINT,
    OUT through_entry BIGINT, OUT amount BIGINT
)
LANGUAGE sql STABLE AS $$
    SELECT so_far.entry_id, so_far.total
    FROM (
        SELECT e.entry_id, sum(e.amount) OVER (ORDER BY e.entry_id)::BIGINT AS total
        FROM settleable_entries AS e
        WHERE e.account_id = p_account_id AND e.entry_id > p_after AND e.entry_id <= p_through
    ) AS so_far
    WHERE so_far.total <= p_available
    ORDER BY so_far.entry_id DESC LIMIT 1
$$;
COMMENT ON FUNCTION settlement_affordable IS
    'The last entry up to which, the oldest first, all can be paid of what is available.';

CREATE FUNCTION settlement_make(p_plan settlement_plan, p_now TIMESTAMPTZ, OUT outcome TEXT)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    account accounts;
    available BIGINT;
    after_id BIGINT;
    through_id BIGINT;
    total BIGINT;
    reserve BIGINT := 0;
BEGIN
    -- Shared with other runs' readers, but not with whoever adds slots to the account.
    SELECT * INTO STRICT account FROM accounts WHERE id = p_plan.account_id FOR SHARE;
    available := settlement_lock(account, p_plan.reserve_basis_points > 0);
    SELECT coalesce(max(through_entry), 0) INTO after_id
    FROM settlements WHERE account_id = account.id;
    SELECT max(e.entry_id) INTO through_id FROM (
        SELECT entry_id FROM settleable_entries
        WHERE account_id = account.id AND entry_id > after_id
            AND entry_id < ledger_entry_id_at(p_plan.cutoff)
        ORDER BY entry_id DESC LIMIT 1
    ) AS e;
    -- A run at the same time may have been first.
    IF through_id IS NULL OR EXISTS (SELECT FROM settlements WHERE id = p_plan.id) THEN
        outcome := 'nothing_to_pay';
        RETURN;
    END IF;
    total := settlement_sum(account.id, through_id);
    IF total > available THEN
        SELECT a.through_entry, a.amount INTO through_id, total
        FROM settlement_affordable(account.id, after_id, through_id, available) AS a;
        IF through_id IS NULL OR total <= 0 THEN
            outcome := 'reserved';
            RETURN;
        END IF;
    END IF;
    IF total > 0 AND p_plan.reserve_basis_points > 0 THEN
        SELECT least(coalesce(sum(e.amount), 0) * p_plan.reserve_basis_points / 10000, total)
        INTO reserve FROM settleable_entries AS e
        WHERE e.account_id = account.id AND e.entry_id > after_id AND e.entry_id <= through_id
            AND e.kind = 'payment';
    END IF;
    outcome := CASE
        WHEN total <= 0 THEN 'nothing_to_pay'
        WHEN total - reserve < greatest(p_plan.minimum_amount, 1) THEN 'below_minimum'
    END;
    IF outcome IS NULL THEN
        PERFORM settlement_write(p_plan, account, after_id, through_id, total - reserve, reserve, p_now);
        outcome := 'made';
    END IF;
END
$$;
COMMENT ON FUNCTION settlement_make IS
    'One settlement of what its account is owed up to the cut-off, booked; or why there is none.';

CREATE FUNCTION settlement_write(
    p_plan settlement_plan, p_account accounts, p_after BIGINT, p_through BIGINT,
    p_amount BIGINT, p_reserve BIGINT, p_now TIMESTAMPTZ
) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    orders ledger_order [] := ARRAY[jsonb_populate_record(NULL::ledger_order, jsonb_build_object(
        'id', p_plan.payout_id, 'state', 'single', 'kind', 'payout', 'amount', p_amount,
        'debit', 'merchant_payable', 'debit_merchant', p_account.merchant_id,
        'credit', 'settlement_in_transit',
        'currency', p_account.currency, 'mode', p_account.mode, 'object_id', p_plan.object_id))];
BEGIN
    IF p_reserve > 0 THEN
        orders := orders || jsonb_populate_record(NULL::ledger_order, jsonb_build_object(
            'id', p_plan.reserve_id, 'state', 'single', 'kind', 'reserve_hold',
            'amount', p_reserve,
            'debit', 'merchant_payable', 'debit_merchant', p_account.merchant_id,
            'credit', 'reserve', 'credit_merchant', p_account.merchant_id,
            'currency', p_account.currency, 'mode', p_account.mode, 'object_id', p_plan.object_id));
    END IF;
    PERFORM ledger_book(orders);
    INSERT INTO settlements (id, merchant_id, amount, status, currency, mode, cutoff, account_id,
        after_entry, through_entry, booked_entry, reserve_amount, expected_on, end_to_end_id,
        instruction, payout_id, reserve_id, created_at)
    VALUES (p_plan.id, p_account.merchant_id, p_amount, 'PENDING', p_account.currency,
        p_account.mode, p_plan.cutoff, p_account.id, p_after, p_through,
        -- Nobody else has booked on the account since it was locked.
        (SELECT max(id) FROM ledger_entries WHERE account_id = p_account.id),
        p_reserve, p_plan.expected_on, p_plan.end_to_end_id,
        p_plan.instruction, p_plan.payout_id,
        CASE WHEN p_reserve > 0 THEN p_plan.reserve_id END, p_now);
    INSERT INTO reserves (settlement_id, release_at)
    SELECT p_plan.id, p_plan.release_at WHERE p_reserve > 0;
END
$$;
COMMENT ON FUNCTION settlement_write IS 'The settlement, its payout and its reserve are on record.';
