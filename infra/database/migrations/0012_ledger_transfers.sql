-- Booking: orders become transfers. Every rule of two-phase double entry is in this file; what
-- it writes lies in 0002_ledger.sql, accounts and their limits are in 0017_ledger_accounts.sql.
-- The words, and what each refusal means, are TigerBeetle's (docs.tigerbeetle.com, reference);
-- parts of a hold and reversals are ours.

CREATE TYPE ledger_order AS (
    id UUID,
    state TEXT,  -- single, pending, post, void, reverse
    kind TEXT,
    debit TEXT,
    debit_merchant UUID,
    credit TEXT,
    credit_merchant UUID,
    amount BIGINT,  -- of a post: null is all that is left; of a balancing order: at most
    currency TEXT,
    mode TEXT,
    object_id TEXT,
    transaction_id UUID,
    pending_id UUID,
    is_final BOOLEAN,  -- of a post: false keeps what is left of the hold
    timeout_seconds INTEGER,
    is_linked BOOLEAN,  -- stands and falls with the next order
    balancing TEXT,  -- debit or credit: at most what that account can give
    reverses UUID,
    effective_at TIMESTAMPTZ,  -- null: when it is recorded
    metadata JSONB
);

CREATE TYPE ledger_result AS (
    id UUID,
    status TEXT,
    field TEXT,  -- the one that differs, of exists_with_different_…
    amount BIGINT,
    debit_account_id UUID,
    credit_account_id UUID,
    -- Debits less credits of the whole account, after the transfer.
    debit_posted BIGINT,
    debit_pending BIGINT,
    credit_posted BIGINT,
    credit_pending BIGINT
);

-- Writing. The order of locks is that of account ids, whichever side they stand on.

CREATE FUNCTION ledger_write(
    p_transfer transfers, p_pending BIGINT, p_posted BIGINT, p_timeout INTEGER
) RETURNS TEXT
LANGUAGE plpgsql AS $$
DECLARE
    t transfers := p_transfer;
    is_release CONSTANT BOOLEAN := t.state IN ('void', 'expire');
    is_debit BOOLEAN := t.debit_account_id < t.credit_account_id;
    debit_after BIGINT;
    credit_after BIGINT;
    type_of_both entry_type := CASE WHEN p_posted <> 0 THEN 'posted' WHEN is_release THEN 'voided'
        ELSE 'pending' END;
    moved BIGINT := CASE WHEN p_posted <> 0 THEN p_posted ELSE p_pending END;
    released BIGINT := CASE WHEN p_posted <> 0 THEN -p_pending ELSE 0 END;
BEGIN
    FOR leg IN 1..2 LOOP
        UPDATE account_balances SET
            debits_pending = debits_pending + CASE WHEN is_debit THEN p_pending ELSE 0 END,
            debits_posted = debits_posted + CASE WHEN is_debit THEN p_posted ELSE 0 END,
            credits_pending = credits_pending + CASE WHEN is_debit THEN 0 ELSE p_pending END,
            credits_posted = credits_posted + CASE WHEN is_debit THEN 0 ELSE p_posted END,
            room = room + CASE WHEN is_debit = limits_debits THEN -p_pending - p_posted
                ELSE p_posted END
        WHERE account_id = CASE WHEN is_debit THEN t.debit_account_id ELSE t.credit_account_id END
            AND slot = CASE WHEN is_debit THEN t.debit_slot ELSE t.credit_slot END
            AND (NOT closed OR is_release)
        RETURNING
            CASE WHEN NOT is_debit THEN debit_after
                WHEN p_posted <> 0 THEN debits_posted - credits_posted
                ELSE debits_pending - credits_pending END,
            CASE WHEN is_debit THEN credit_after
                WHEN p_posted <> 0 THEN debits_posted - credits_posted
                ELSE debits_pending - credits_pending END
        INTO debit_after, credit_after;
        IF NOT FOUND THEN
            IF leg = 2 THEN
                PERFORM ledger_unmove(t, NOT is_debit, p_pending, p_posted);
            END IF;
            -- Of two closed accounts the debit account is named, as everywhere.
            is_debit := is_debit OR EXISTS (
                SELECT FROM account_balances
                WHERE account_id = t.debit_account_id AND slot = t.debit_slot AND closed
            );
            RETURN CASE WHEN is_debit THEN 'debit' ELSE 'credit' END || '_account_already_closed';
        END IF;
        is_debit := NOT is_debit;
    END LOOP;
    -- The clock is read under both locks: on an account of one slot, the order of the entries'
    -- numbers is the order in which they were booked.
    t.created_at := clock_timestamp();
    t.effective_at := coalesce(t.effective_at, t.created_at);
    t.expires_at := t.created_at + p_timeout * INTERVAL '1 second';
    INSERT INTO transfers SELECT t.*
    WHERE NOT EXISTS (SELECT FROM failed_transfers AS f WHERE f.id = t.id)
    ON CONFLICT (id) DO NOTHING;
    IF NOT FOUND THEN
        PERFORM ledger_unmove(t, TRUE, p_pending, p_posted);
        PERFORM ledger_unmove(t, FALSE, p_pending, p_posted);
        RETURN 'id_is_known';
    END IF;
    INSERT INTO ledger_entries (
        id, transaction_id, account_id, delta, balance_after, type, created_at, transfer_id,
        currency, slot, released, effective_at
    ) VALUES (
        ledger_entry_number(t.created_at, t.debit_slot), t.transaction_id, t.debit_account_id,
        moved, debit_after, type_of_both, t.created_at, t.id,
        t.currency, t.debit_slot, released, t.effective_at
    ), (
        ledger_entry_number(t.created_at, t.credit_slot), t.transaction_id, t.credit_account_id,
        -moved, credit_after, type_of_both, t.created_at, t.id,
        t.currency, t.credit_slot, -released, t.effective_at
    );
    IF t.state = 'pending' THEN
        INSERT INTO open_holds (transfer_id, amount_left, merchant_id, expires_at)
        VALUES (t.id, t.amount, t.merchant_id, t.expires_at);
    END IF;
    RETURN 'created';
END
$$;
COMMENT ON FUNCTION ledger_write IS
    'Balances, transfer and entries, or nothing of them: then the answer says why.';

CREATE FUNCTION ledger_unmove(
    p_transfer transfers, p_is_debit BOOLEAN, p_pending BIGINT, p_posted BIGINT
) RETURNS VOID
LANGUAGE sql AS $$
    UPDATE account_balances SET
        debits_pending = debits_pending - CASE WHEN p_is_debit THEN p_pending ELSE 0 END,
        debits_posted = debits_posted - CASE WHEN p_is_debit THEN p_posted ELSE 0 END,
        credits_pending = credits_pending - CASE WHEN p_is_debit THEN 0 ELSE p_pending END,
        credits_posted = credits_posted - CASE WHEN p_is_debit THEN 0 ELSE p_posted END,
        room = room - CASE WHEN p_is_debit = limits_debits THEN -p_pending - p_posted
            ELSE p_posted END
    WHERE account_id = CASE WHEN p_is_debit
            THEN p_transfer.debit_account_id ELSE p_transfer.credit_account_id END
        AND slot = CASE WHEN p_is_debit
            THEN p_transfer.debit_slot ELSE p_transfer.credit_slot END
$$;
COMMENT ON FUNCTION ledger_unmove IS 'Takes back what ledger_write had moved on one side.';

-- Deciding.

CREATE FUNCTION ledger_answer(p_transfer transfers, p_status TEXT) RETURNS ledger_result
LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW(
        p_transfer.id, p_status, NULL, p_transfer.amount, p_transfer.debit_account_id,
        p_transfer.credit_account_id, NULL, NULL, NULL, NULL
    )::ledger_result
$$;

CREATE FUNCTION ledger_refuse(p_id UUID, p_status TEXT) RETURNS ledger_result
LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW(p_id, p_status, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::ledger_result
$$;

CREATE FUNCTION ledger_known(p_wanted transfers, p_order ledger_order) RETURNS ledger_result
LANGUAGE plpgsql AS $$
DECLARE
    present transfers;
    answer ledger_result;
BEGIN
    SELECT * INTO present FROM transfers WHERE id = p_order.id;
    IF NOT FOUND THEN
        IF EXISTS (SELECT FROM failed_transfers WHERE id = p_order.id) THEN
            RETURN ledger_refuse(p_order.id, 'id_already_failed');
        END IF;
        RETURN NULL;
    END IF;
    answer := ledger_answer(present, 'exists');
    answer.field := CASE
        WHEN present.state <> p_wanted.state THEN 'state'
        WHEN present.pending_id IS DISTINCT FROM p_wanted.pending_id THEN 'pending_id'
        WHEN present.reverses IS DISTINCT FROM p_wanted.reverses THEN 'reverses'
        WHEN present.debit_account_id <> p_wanted.debit_account_id THEN 'debit_account_id'
        WHEN present.credit_account_id <> p_wanted.credit_account_id THEN 'credit_account_id'
        WHEN p_order.balancing IS NULL AND p_order.amount IS NOT NULL
            AND present.amount <> p_order.amount THEN 'amount'
        WHEN p_order.balancing IS NOT NULL AND present.amount > p_order.amount THEN 'amount'
        WHEN present.state = 'post' AND p_order.amount IS NULL
            AND present.amount <> present.released THEN 'amount'
        WHEN present.state = 'post' AND present.amount < present.released
            AND NOT coalesce(p_order.is_final, TRUE) THEN 'is_final'
        WHEN present.state = 'post' AND NOT present.is_final
            AND coalesce(p_order.is_final, TRUE) THEN 'is_final'
        WHEN present.kind <> p_wanted.kind THEN 'kind'
        WHEN present.object_id <> p_wanted.object_id THEN 'object_id'
        WHEN present.transaction_id IS DISTINCT FROM p_wanted.transaction_id
            THEN 'transaction_id'
        WHEN present.state = 'pending' AND present.expires_at IS DISTINCT FROM
            present.created_at + p_order.timeout_seconds * INTERVAL '1 second' THEN 'timeout'
        WHEN present.effective_at <> p_order.effective_at THEN 'effective_at'
        WHEN present.metadata IS DISTINCT FROM p_order.metadata THEN 'metadata'
    END;
    IF answer.field IS NOT NULL THEN
        answer.status := 'exists_with_different_' || answer.field;
    END IF;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION ledger_known IS
    'What there is to say of an id that was used before; null when it was not.';

CREATE FUNCTION ledger_book_between(
    p_wanted transfers, p_order ledger_order, p_debit accounts, p_credit accounts
) RETURNS ledger_result
LANGUAGE plpgsql AS $$
DECLARE
    wanted transfers := p_wanted;
    answer ledger_result;
    status TEXT;
BEGIN
    IF p_debit.id = p_credit.id THEN
        RETURN ledger_refuse(wanted.id, 'accounts_must_be_different');
    END IF;
    IF p_debit.closed OR p_credit.closed OR p_debit.debits_must_not_exceed_credits
        OR p_credit.credits_must_not_exceed_debits OR p_order.balancing IS NOT NULL THEN
        answer := ledger_admit(wanted, p_order, p_debit, p_credit);
        IF answer.status <> 'created' THEN
            RETURN answer;
        END IF;
        wanted.amount := answer.amount;
    END IF;
    status := ledger_write(
        wanted,
        CASE WHEN wanted.state = 'pending' THEN wanted.amount ELSE 0 END,
        CASE WHEN wanted.state = 'pending' THEN 0 ELSE wanted.amount END,
        p_order.timeout_seconds
    );
    IF status = 'id_is_known' THEN
        RETURN ledger_known(wanted, p_order);
    END IF;
    RETURN ledger_answer(wanted, status);
END
$$;

CREATE FUNCTION ledger_admit(
    p_wanted transfers, p_order ledger_order, p_debit accounts, p_credit accounts
) RETURNS ledger_result
LANGUAGE plpgsql AS $$
DECLARE
    answer ledger_result;
    amount BIGINT := p_wanted.amount;
    balances_debit CONSTANT BOOLEAN := p_order.balancing IS NOT DISTINCT FROM 'debit';
    debit_suffices BOOLEAN;
    credit_suffices BOOLEAN;
BEGIN
    IF p_order.balancing IS NOT NULL THEN
        PERFORM FROM account_balances WHERE account_id IN (p_debit.id, p_credit.id)
        ORDER BY account_id, slot FOR UPDATE;
        SELECT least(amount, greatest(sum(ledger_slack(b, balances_debit)), 0)) INTO amount
        FROM account_balances AS b
        WHERE account_id = CASE WHEN balances_debit THEN p_debit.id ELSE p_credit.id END;
    END IF;
    IF p_debit.id < p_credit.id THEN
        debit_suffices := ledger_secure(p_debit, p_wanted.debit_slot, TRUE, amount);
        credit_suffices := ledger_secure(p_credit, p_wanted.credit_slot, FALSE, amount);
    ELSE
        credit_suffices := ledger_secure(p_credit, p_wanted.credit_slot, FALSE, amount);
        debit_suffices := ledger_secure(p_debit, p_wanted.debit_slot, TRUE, amount);
    END IF;
    -- Only now: who used the id before us held these locks.
    answer := ledger_known(p_wanted, p_order);
    IF answer.status IS NOT NULL THEN
        RETURN answer;
    END IF;
    answer := ledger_answer(p_wanted, CASE
        WHEN p_debit.closed THEN 'debit_account_already_closed'
        WHEN p_credit.closed THEN 'credit_account_already_closed'
        WHEN NOT debit_suffices OR (amount = 0 AND balances_debit) THEN 'exceeds_credits'
        WHEN NOT credit_suffices OR amount = 0 THEN 'exceeds_debits'
        ELSE 'created'
    END);
    answer.amount := amount;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION ledger_admit IS
    'Whether limits and closed accounts allow the transfer, and how much of it; with its locks.';

CREATE FUNCTION ledger_begin(p_order ledger_order) RETURNS ledger_result
LANGUAGE plpgsql AS $$
DECLARE
    debit accounts;
    credit accounts;
BEGIN
    IF coalesce(p_order.amount, 0) <= 0 OR p_order.timeout_seconds IS NOT NULL AND (
        p_order.state <> 'pending' OR p_order.timeout_seconds <= 0
    ) THEN
        RETURN ledger_refuse(p_order.id, CASE
            WHEN coalesce(p_order.amount, 0) <= 0 THEN 'amount_must_be_positive'
            WHEN p_order.state <> 'pending' THEN 'timeout_reserved_for_pending_transfer'
            ELSE 'timeout_must_be_positive'
        END);
    END IF;
    -- Accounts are opened in the order of their names, whichever side they stand on: two
    -- first transfers in opposite directions would wait for each other for ever.
    IF concat(p_order.debit, p_order.debit_merchant)
        < concat(p_order.credit, p_order.credit_merchant) THEN
        debit := ledger_account(
            p_order.debit, p_order.mode, p_order.currency, p_order.debit_merchant);
        credit := ledger_account(
            p_order.credit, p_order.mode, p_order.currency, p_order.credit_merchant);
    ELSE
        credit := ledger_account(
            p_order.credit, p_order.mode, p_order.currency, p_order.credit_merchant);
        debit := ledger_account(
            p_order.debit, p_order.mode, p_order.currency, p_order.debit_merchant);
    END IF;
    RETURN ledger_book_between(
        ROW(
            p_order.id, p_order.state::transfer_state, NULL, NULL, p_order.state = 'single',
            p_order.kind::transfer_kind, debit.id, credit.id,
            -- Neighbouring connections have neighbouring numbers: they rarely meet in a slot.
            pg_backend_pid() % debit.slots, pg_backend_pid() % credit.slots, p_order.amount, 0, p_order.currency, p_order.mode,
            coalesce(p_order.credit_merchant, p_order.debit_merchant), p_order.object_id,
            p_order.transaction_id, 1, NULL, NULL, p_order.metadata, p_order.effective_at, NULL
        )::transfers,
        p_order, debit, credit
    );
END
$$;
COMMENT ON FUNCTION ledger_begin IS 'Books a single transfer, or the first half of one.';

CREATE FUNCTION ledger_resolve(p_order ledger_order) RETURNS ledger_result
LANGUAGE plpgsql AS $$
DECLARE
    hold open_holds;
    t transfers;
    answer ledger_result;
    status TEXT;
BEGIN
    IF p_order.amount <= 0 THEN
        RETURN ledger_refuse(p_order.id, 'amount_must_be_positive');
    ELSIF p_order.timeout_seconds IS NOT NULL THEN
        RETURN ledger_refuse(p_order.id, 'timeout_reserved_for_pending_transfer');
    END IF;
    LOOP
        SELECT * INTO hold FROM open_holds WHERE transfer_id = p_order.pending_id;
        IF NOT FOUND THEN
            RETURN ledger_resolved_before(p_order);
        END IF;
        t := ledger_part(p_order, hold);
        status := ledger_part_refusal(t, hold);
        IF hold.parts > 0 OR status IS NOT NULL THEN
            -- Of a part, and of what is refused, the id is looked at first.
            answer := ledger_known(t, p_order);
            IF answer.status IS NOT NULL THEN
                RETURN answer;
            ELSIF status IS NOT NULL THEN
                RETURN ledger_refuse(t.id, status);
            END IF;
        END IF;
        -- Two resolutions of one pending transfer queue here, and the second looks again.
        IF t.is_final THEN
            DELETE FROM open_holds WHERE transfer_id = t.pending_id AND parts = hold.parts;
        ELSE
            UPDATE open_holds SET amount_left = amount_left - t.released, parts = t.part
            WHERE transfer_id = t.pending_id AND parts = hold.parts;
        END IF;
        EXIT WHEN FOUND;
    END LOOP;
    status := ledger_write(
        t, -t.released, CASE WHEN t.state = 'post' THEN t.amount ELSE 0 END, NULL);
    IF status = 'created' THEN
        RETURN ledger_answer(t, status);
    END IF;
    INSERT INTO open_holds SELECT hold.* ON CONFLICT (transfer_id) DO UPDATE SET
        amount_left = excluded.amount_left, parts = excluded.parts;
    answer := ledger_known(t, p_order);
    IF answer.status IS NOT NULL THEN
        RETURN answer;
    END IF;
    RETURN ledger_refuse(t.id, status);
END
$$;
COMMENT ON FUNCTION ledger_resolve IS
    'Posts a pending transfer, whole or a part of it, or voids what is left.';

CREATE FUNCTION ledger_part(p_order ledger_order, p_hold open_holds) RETURNS transfers
LANGUAGE plpgsql AS $$
DECLARE
    t transfers;
BEGIN
    SELECT * INTO t FROM transfers WHERE id = p_order.pending_id;
    t.id := p_order.id;
    t.state := p_order.state;
    t.pending_id := p_order.pending_id;
    t.part := p_hold.parts + 1;
    t.sequence := t.part + 1;
    IF t.state = 'post' AND p_order.amount <> p_hold.amount_left THEN
        t.amount := p_order.amount;
        t.is_final := coalesce(p_order.is_final, TRUE);
    ELSE
        t.amount := p_hold.amount_left;
        t.is_final := TRUE;
    END IF;
    t.released := CASE WHEN t.is_final THEN p_hold.amount_left ELSE t.amount END;
    t.effective_at := p_order.effective_at;
    t.metadata := p_order.metadata;
    RETURN t;
END
$$;
COMMENT ON FUNCTION ledger_part IS 'The transfer that would resolve the hold, or a part of it.';

CREATE FUNCTION ledger_part_refusal(p_part transfers, p_hold open_holds) RETURNS TEXT
LANGUAGE plpgsql AS $$
DECLARE
    parts_limit CONSTANT SMALLINT := 50;
BEGIN
    RETURN CASE
        WHEN p_hold.expires_at <= clock_timestamp() AND p_part.state <> 'expire'
            THEN 'pending_transfer_expired'
        WHEN p_part.amount > p_hold.amount_left THEN 'exceeds_pending_transfer_amount'
        WHEN p_part.part >= parts_limit AND NOT p_part.is_final THEN 'too_many_parts'
    END;
END
$$;

CREATE FUNCTION ledger_resolved_before(p_order ledger_order) RETURNS ledger_result
LANGUAGE plpgsql AS $$
DECLARE
    t transfers;
    earlier TEXT;
    answer ledger_result;
BEGIN
    SELECT * INTO t FROM transfers WHERE id = p_order.pending_id;
    IF NOT FOUND THEN
        RETURN ledger_refuse(p_order.id, 'pending_transfer_not_found');
    ELSIF t.state <> 'pending' THEN
        RETURN ledger_refuse(p_order.id, 'pending_transfer_not_pending');
    END IF;
    t.state := p_order.state;
    t.pending_id := p_order.pending_id;
    answer := ledger_known(t, p_order);
    IF answer.status IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT state INTO earlier FROM transfers
    WHERE pending_id = p_order.pending_id ORDER BY part DESC LIMIT 1;
    IF earlier IS NULL THEN
        -- It was committed after we had looked for its hold.
        RETURN ledger_resolve(p_order);
    END IF;
    RETURN ledger_refuse(p_order.id, CASE earlier
        WHEN 'post' THEN 'pending_transfer_already_posted'
        WHEN 'void' THEN 'pending_transfer_already_voided'
        WHEN 'expire' THEN 'pending_transfer_expired'
    END);
END
$$;

CREATE FUNCTION ledger_reverse(p_order ledger_order) RETURNS ledger_result
LANGUAGE plpgsql AS $$
DECLARE
    t transfers;
    debit accounts;
    credit accounts;
    answer ledger_result;
    o ledger_order := p_order;
BEGIN
    -- Two reversals of one transfer queue here.
    SELECT * INTO t FROM transfers WHERE id = p_order.reverses FOR UPDATE;
    IF NOT FOUND THEN
        RETURN ledger_refuse(p_order.id, 'transfer_not_found');
    ELSIF t.state NOT IN ('single', 'post') THEN
        RETURN ledger_refuse(p_order.id, 'transfer_not_posted');
    END IF;
    SELECT * INTO debit FROM accounts WHERE id = t.credit_account_id;
    SELECT * INTO credit FROM accounts WHERE id = t.debit_account_id;
    t.debit_account_id := debit.id;
    t.credit_account_id := credit.id;
    t.debit_slot := pg_backend_pid() % debit.slots;
    t.credit_slot := pg_backend_pid() % credit.slots;
    t.id := p_order.id;
    t.reverses := p_order.reverses;
    t.state := 'single';
    t.kind := 'reversal';
    t.pending_id := NULL;
    t.part := NULL;
    t.is_final := TRUE;
    t.released := 0;
    t.sequence := 1;
    t.expires_at := NULL;
    t.metadata := p_order.metadata;
    t.effective_at := p_order.effective_at;
    o.amount := t.amount;
    o.balancing := NULL;
    answer := ledger_known(t, o);
    IF answer.status IS NOT NULL THEN
        RETURN answer;
    ELSIF EXISTS (SELECT FROM transfers WHERE reverses = p_order.reverses) THEN
        RETURN ledger_refuse(p_order.id, 'transfer_already_reversed');
    END IF;
    RETURN ledger_book_between(t, o, debit, credit);
END
$$;
COMMENT ON FUNCTION ledger_reverse IS
    'Moves back what a transfer had moved, whole and once, by a new transfer that names it.';

CREATE FUNCTION ledger_order_one(p_order ledger_order) RETURNS ledger_result
LANGUAGE sql VOLATILE AS $$
    SELECT CASE
        WHEN p_order.state IN ('single', 'pending') THEN ledger_begin(p_order)
        WHEN p_order.state IN ('post', 'void', 'expire') THEN ledger_resolve(p_order)
        WHEN p_order.state = 'reverse' THEN ledger_reverse(p_order)
        ELSE ledger_refuse(p_order.id, 'state_not_understood')
    END
$$;

-- Batches.

CREATE FUNCTION ledger_lock(p_orders ledger_order []) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    name RECORD;
    account accounts;
    ids UUID [] := '{}';
    slots SMALLINT [] := '{}';
    -- Transfers that some order resolves or reverses.
    named UUID [] := '{}';
    is_balancing BOOLEAN := FALSE;
BEGIN
    FOR n IN 1..cardinality(p_orders) LOOP
        is_balancing := is_balancing OR (p_orders[n]).balancing IS NOT NULL;
        named := named || coalesce((p_orders[n]).pending_id, (p_orders[n]).reverses);
    END LOOP;
    named := array_remove(named, NULL);
    IF named <> '{}' THEN
        PERFORM FROM transfers
        WHERE id = ANY(ARRAY(SELECT reverses FROM unnest(p_orders) WHERE reverses IS NOT NULL))
        ORDER BY id FOR UPDATE;
        PERFORM FROM open_holds WHERE transfer_id = ANY(named) ORDER BY transfer_id FOR UPDATE;
        -- A hold is resolved in its own slots; a reversal is a new transfer.
        SELECT array_agg(b.account_id), array_agg(b.slot) INTO ids, slots
        FROM transfers AS t
        CROSS JOIN LATERAL (
            VALUES (t.debit_account_id, t.debit_slot), (t.credit_account_id, t.credit_slot)
        ) AS leg (account_id, slot)
        INNER JOIN accounts AS a ON a.id = leg.account_id
        INNER JOIN account_balances AS b ON b.account_id = a.id AND CASE
            WHEN t.state = 'pending' THEN b.slot = leg.slot
            ELSE a.debits_must_not_exceed_credits OR a.credits_must_not_exceed_debits
                OR b.slot = (pg_backend_pid() % a.slots)::SMALLINT
        END
        WHERE t.id = ANY(named);
    END IF;
    -- Accounts are opened in the order of their names, for the same reason.
    FOR name IN
        SELECT DISTINCT n.type, n.merchant_id, o.mode, o.currency
        FROM unnest(p_orders) AS o
        CROSS JOIN LATERAL (
            VALUES (o.debit, o.debit_merchant), (o.credit, o.credit_merchant)
        ) AS n (type, merchant_id)
        WHERE n.type IS NOT NULL AND o.amount > 0
        ORDER BY n.type, n.merchant_id, o.mode, o.currency
    LOOP
        account := ledger_account(name.type, name.mode, name.currency, name.merchant_id);
        IF is_balancing OR account.debits_must_not_exceed_credits
            OR account.credits_must_not_exceed_debits THEN
            SELECT ids || array_agg(account_id), slots || array_agg(slot) INTO ids, slots
            FROM account_balances WHERE account_id = account.id;
        ELSE
            ids := ids || account.id;
            slots := slots || (pg_backend_pid() % account.slots)::SMALLINT;
        END IF;
    END LOOP;
    PERFORM FROM account_balances AS b
    INNER JOIN (
        SELECT DISTINCT account_id, slot FROM unnest(ids, slots) AS u (account_id, slot)
    ) AS wanted ON b.account_id = wanted.account_id AND b.slot = wanted.slot
    ORDER BY b.account_id, b.slot FOR UPDATE OF b;
END
$$;
COMMENT ON FUNCTION ledger_lock IS
    'What the orders will touch is locked in one order, so that batches never wait in a circle.';

CREATE FUNCTION ledger_with_balances(p_answer ledger_result) RETURNS ledger_result
LANGUAGE plpgsql AS $$
DECLARE
    answer ledger_result := p_answer;
BEGIN
    SELECT sum(debits_posted - credits_posted), sum(debits_pending - credits_pending)
    INTO answer.debit_posted, answer.debit_pending
    FROM account_balances WHERE account_id = answer.debit_account_id;
    SELECT sum(debits_posted - credits_posted), sum(debits_pending - credits_pending)
    INTO answer.credit_posted, answer.credit_pending
    FROM account_balances WHERE account_id = answer.credit_account_id;
    RETURN answer;
END
$$;

CREATE FUNCTION ledger_chain(p_orders ledger_order [], p_balances BOOLEAN)
RETURNS ledger_result []
LANGUAGE plpgsql AS $$
DECLARE
    answers ledger_result [] := '{}';
    answer ledger_result;
    broken_at INTEGER;
BEGIN
    FOR n IN 1..cardinality(p_orders) LOOP
        broken_at := n;
        answer := ledger_order_one(p_orders[n]);
        IF answer.status NOT IN ('created', 'exists') THEN
            RAISE EXCEPTION USING ERRCODE = 'PN098';
        ELSIF p_balances THEN
            answer := ledger_with_balances(answer);
        END IF;
        answers[n] := answer;
    END LOOP;
    RETURN answers;
EXCEPTION WHEN SQLSTATE 'PN098' THEN
    FOR n IN 1..cardinality(p_orders) LOOP
        answers[n] := CASE WHEN n = broken_at THEN answer
            ELSE ledger_refuse((p_orders[n]).id, 'linked_event_failed') END;
    END LOOP;
    RETURN answers;
END
$$;
COMMENT ON FUNCTION ledger_chain IS 'Books all of the linked orders or, after a refusal, none.';

CREATE FUNCTION ledger_transfers(p_orders ledger_order [], p_balances BOOLEAN DEFAULT TRUE)
RETURNS SETOF ledger_result
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    total CONSTANT INTEGER := cardinality(p_orders);
    together transfers [];
    first INTEGER := 1;
    last INTEGER;
    answers ledger_result [];
BEGIN
    IF total > 1 THEN
        together := ledger_together(p_orders);
        IF together IS NOT NULL THEN
            RETURN QUERY SELECT * FROM ledger_together_results(together, p_balances);
            RETURN;
        END IF;
        PERFORM ledger_lock(p_orders);
    END IF;
    WHILE first <= total LOOP
        last := first;
        WHILE (p_orders[last]).is_linked AND last < total LOOP
            last := last + 1;
        END LOOP;
        IF (p_orders[last]).is_linked THEN
            FOR n IN 1..last - first + 1 LOOP
                answers[n] := ledger_refuse(
                    (p_orders[first + n - 1]).id,
                    CASE WHEN first + n - 1 = last THEN 'linked_event_chain_open'
                        ELSE 'linked_event_failed' END
                );
            END LOOP;
        ELSIF last > first THEN
            answers := ledger_chain(p_orders[first:last], p_balances);
        ELSE
            answers[1] := ledger_order_one(p_orders[first]);
            IF p_balances AND answers[1].debit_account_id IS NOT NULL THEN
                answers[1] := ledger_with_balances(answers[1]);
            END IF;
        END IF;
        FOR n IN 1..last - first + 1 LOOP
            IF ledger_is_transient(answers[n].status) THEN
                INSERT INTO failed_transfers (id, status, failed_at)
                VALUES (answers[n].id, answers[n].status, clock_timestamp())
                ON CONFLICT DO NOTHING;
            END IF;
            RETURN NEXT answers[n];
        END LOOP;
        first := last + 1;
    END LOOP;
END
$$;
COMMENT ON FUNCTION ledger_transfers IS
    'Books the orders in turn, one result each: a refused one changes nothing and stops none but '
    'those linked to it.';

CREATE FUNCTION ledger_is_transient(p_status TEXT) RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_status IN (
        'exceeds_credits', 'exceeds_debits', 'debit_account_already_closed',
        'credit_account_already_closed'
    )
$$;
COMMENT ON FUNCTION ledger_is_transient IS
    'Whether the refusal might pass: its id is then remembered, so that no later try succeeds.';

CREATE FUNCTION ledger_book(p_orders ledger_order []) RETURNS VOID
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF cardinality(p_orders) > 1 THEN
        IF ledger_together(p_orders) IS NOT NULL THEN
            RETURN;
        END IF;
        PERFORM ledger_lock(p_orders);
    END IF;
    FOR n IN 1..cardinality(p_orders) LOOP
        PERFORM ledger_book_one(p_orders[n]);
    END LOOP;
END
$$;
COMMENT ON FUNCTION ledger_book IS 'Books all of the orders, or raises what the refusal means.';

CREATE FUNCTION ledger_book_one(p_order ledger_order) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    answer ledger_result := ledger_order_one(p_order);
BEGIN
    IF answer.status NOT IN ('created', 'exists') THEN
        RAISE EXCEPTION USING
            ERRCODE = ledger_sqlstate(answer.status),
            MESSAGE = format('transfer %s: %s', answer.id, answer.status),
            COLUMN = coalesce(answer.field, '');
    END IF;
END
$$;
COMMENT ON FUNCTION ledger_book_one IS
    'Books the order, or raises; takes no locks ahead. A caller that books several in one '
    'transaction does so in an order of accounts that all its kind keep, or uses ledger_book.';

CREATE FUNCTION ledger_sqlstate(p_status TEXT) RETURNS TEXT
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_status
        WHEN 'pending_transfer_not_found' THEN 'PN002'
        WHEN 'pending_transfer_already_posted' THEN 'PN003'
        WHEN 'pending_transfer_already_voided' THEN 'PN004'
        WHEN 'exceeds_pending_transfer_amount' THEN 'PN005'
        WHEN 'pending_transfer_expired' THEN 'PN006'
        WHEN 'pending_transfer_not_pending' THEN 'PN007'
        WHEN 'too_many_parts' THEN 'PN008'
        WHEN 'id_already_failed' THEN 'PN030'
        WHEN 'exceeds_credits' THEN 'PN031'
        WHEN 'exceeds_debits' THEN 'PN032'
        WHEN 'debit_account_already_closed' THEN 'PN033'
        WHEN 'credit_account_already_closed' THEN 'PN034'
        WHEN 'accounts_must_be_different' THEN 'PN035'
        WHEN 'amount_must_be_positive' THEN 'PN036'
        WHEN 'transfer_not_found' THEN 'PN037'
        WHEN 'transfer_not_posted' THEN 'PN038'
        WHEN 'transfer_already_reversed' THEN 'PN039'
        WHEN 'timeout_reserved_for_pending_transfer' THEN 'PN040'
        WHEN 'timeout_must_be_positive' THEN 'PN041'
        WHEN 'linked_event_failed' THEN 'PN042'
        WHEN 'linked_event_chain_open' THEN 'PN043'
        WHEN 'state_not_understood' THEN 'PN044'
        ELSE 'PN001'
    END
$$;

CREATE FUNCTION ledger_expire(p_limit INTEGER) RETURNS INTEGER
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    due UUID [] := ARRAY(
        SELECT transfer_id FROM open_holds WHERE expires_at <= clock_timestamp()
        ORDER BY expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    );
    orders ledger_order [] := ARRAY(
        SELECT jsonb_populate_record(
            NULL::ledger_order,
            jsonb_build_object('id', uuidv7(), 'state', 'expire', 'pending_id', pending)
        )
        FROM unnest(due) AS pending
    );
BEGIN
    IF due <> '{}' THEN
        PERFORM ledger_book(orders);
    END IF;
    RETURN cardinality(due);
END
$$;
COMMENT ON FUNCTION ledger_expire IS 'Voids holds whose time is up; how many.';
