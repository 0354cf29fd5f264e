-- Many orders in a few statements. What is common is booked together: new ids, open accounts
-- without limits, holds resolved whole. All else goes order by order (0012_ledger_transfers.sql),
-- and comes to the same.

CREATE FUNCTION ledger_plain(p_orders ledger_order []) RETURNS transfers []
LANGUAGE plpgsql AS $$
DECLARE
    nil CONSTANT UUID := '00000000-0000-0000-0000-000000000000';
    planned transfers [];
    are_plain BOOLEAN;
BEGIN
    SELECT bool_and(plain.is_so)
        AND count(*) = count(DISTINCT o.id) AND count(o.pending_id) = count(DISTINCT o.pending_id)
        AND NOT EXISTS (SELECT FROM transfers WHERE id = ANY(array_agg(o.id)))
        AND NOT EXISTS (SELECT FROM failed_transfers WHERE id = ANY(array_agg(o.id))),
        array_agg(CASE WHEN plain.is_so THEN ROW(
            o.id, o.state, o.pending_id, p.parts + 1, o.state <> 'pending',
            coalesce(p.kind, o.kind::transfer_kind),
            coalesce(p.debit_account_id, d.id), coalesce(p.credit_account_id, c.id),
            coalesce(p.debit_slot, pg_backend_pid() % d.slots),
            coalesce(p.credit_slot, pg_backend_pid() % c.slots),
            coalesce(p.amount_left, o.amount), coalesce(p.amount_left, 0),
            coalesce(p.currency, o.currency), coalesce(p.mode, o.mode),
            CASE WHEN p.id IS NULL THEN coalesce(o.credit_merchant, o.debit_merchant)
                ELSE p.merchant_id END,
            coalesce(p.object_id, o.object_id),
            CASE WHEN p.id IS NULL THEN o.transaction_id ELSE p.transaction_id END,
            coalesce(p.parts + 2, 1), NULL, NULL, o.metadata, o.effective_at, NULL
        )::transfers END ORDER BY o.ordinality)
    INTO are_plain, planned
    FROM unnest(p_orders) WITH ORDINALITY AS o
    -- One look-up an order by its index, whatever the planner believes of the tables' sizes.
    LEFT JOIN LATERAL (
        SELECT t.*, h.amount_left, h.parts, h.expires_at AS hold_expires_at
        FROM open_holds AS h INNER JOIN transfers AS t ON t.id = h.transfer_id
        WHERE h.transfer_id = o.pending_id LIMIT 1
    ) AS p ON TRUE
    LEFT JOIN LATERAL (
        SELECT a.id, a.slots FROM accounts AS a
        WHERE a.type = o.debit AND a.mode = o.mode AND a.currency = o.currency::CHAR(3)
            AND coalesce(a.merchant_id, '00000000-0000-0000-0000-000000000000')
            = coalesce(o.debit_merchant, nil)
            AND NOT a.debits_must_not_exceed_credits LIMIT 1
    ) AS d ON TRUE
    LEFT JOIN LATERAL (
        SELECT a.id, a.slots FROM accounts AS a
        WHERE a.type = o.credit AND a.mode = o.mode AND a.currency = o.currency::CHAR(3)
            AND coalesce(a.merchant_id, '00000000-0000-0000-0000-000000000000')
            = coalesce(o.credit_merchant, nil)
            AND NOT a.credits_must_not_exceed_debits LIMIT 1
    ) AS c ON TRUE
    CROSS JOIN LATERAL (SELECT CASE
        WHEN o.reverses IS NOT NULL OR o.balancing IS NOT NULL OR o.timeout_seconds IS NOT NULL
            THEN FALSE
        WHEN o.state IN ('single', 'pending')
            THEN o.pending_id IS NULL AND o.amount > 0 AND d.id <> c.id
        WHEN o.state IN ('post', 'void')
            THEN p.parts = 0 AND coalesce(o.amount, p.amount_left) = p.amount_left
                AND coalesce(p.hold_expires_at > clock_timestamp(), TRUE)
        ELSE FALSE
    END IS TRUE AS is_so) AS plain;
    RETURN CASE WHEN are_plain THEN planned END;
END
$$;
COMMENT ON FUNCTION ledger_plain IS
    'The transfers that the orders come to, if all of them are of the common kind; else null.';

-- What the transfers do to one row of balances.
CREATE TYPE ledger_leg AS (
    transfer_id UUID,
    nth BIGINT,
    account_id UUID,
    slot SMALLINT,
    debits_pending BIGINT,
    debits_posted BIGINT,
    credits_pending BIGINT,
    credits_posted BIGINT
);

CREATE FUNCTION ledger_legs(p_transfers transfers []) RETURNS SETOF ledger_leg
LANGUAGE sql IMMUTABLE AS $$
    SELECT t.id, t.ordinality, leg.account_id, leg.slot,
        CASE WHEN leg.is_debit THEN moves.pending ELSE 0 END,
        CASE WHEN leg.is_debit THEN moves.posted ELSE 0 END,
        CASE WHEN leg.is_debit THEN 0 ELSE moves.pending END,
        CASE WHEN leg.is_debit THEN 0 ELSE moves.posted END
    FROM unnest(p_transfers) WITH ORDINALITY AS t
    CROSS JOIN LATERAL (VALUES (
        CASE WHEN t.state = 'pending' THEN t.amount ELSE -t.released END::BIGINT,
        CASE WHEN t.state IN ('single', 'post') THEN t.amount ELSE 0 END::BIGINT
    )) AS moves (pending, posted)
    CROSS JOIN LATERAL (VALUES
        (TRUE, t.debit_account_id, t.debit_slot), (FALSE, t.credit_account_id, t.credit_slot)
    ) AS leg (is_debit, account_id, slot)
$$;

-- What a row of balances came to before the transfers: debits less credits.
CREATE TYPE ledger_net AS (account_id UUID, slot SMALLINT, pending BIGINT, posted BIGINT);

CREATE FUNCTION ledger_together(p_orders ledger_order []) RETURNS transfers []
LANGUAGE plpgsql AS $$
DECLARE
    planned transfers [];
    befores ledger_net [] := '{}';
    leg RECORD;
    net ledger_net;
BEGIN
    IF (p_orders[cardinality(p_orders)]).is_linked THEN
        RETURN NULL;
    END IF;
    PERFORM FROM open_holds
    WHERE transfer_id = ANY(ARRAY(SELECT o.pending_id FROM unnest(p_orders) AS o))
    ORDER BY transfer_id FOR UPDATE;
    planned := ledger_plain(p_orders);
    IF planned IS NULL THEN
        RETURN NULL;
    END IF;
    -- Each row of balances once, and in the order in which all take their locks.
    FOR leg IN
        SELECT account_id, slot, sum(debits_pending)::BIGINT AS debits_pending,
            sum(debits_posted)::BIGINT AS debits_posted,
            sum(credits_pending)::BIGINT AS credits_pending,
            sum(credits_posted)::BIGINT AS credits_posted
        FROM ledger_legs(planned) GROUP BY account_id, slot ORDER BY account_id, slot
    LOOP
        UPDATE account_balances SET
            debits_pending = debits_pending + leg.debits_pending,
            debits_posted = debits_posted + leg.debits_posted,
            credits_pending = credits_pending + leg.credits_pending,
            credits_posted = credits_posted + leg.credits_posted,
            room = room + CASE
                WHEN limits_debits THEN leg.credits_posted - leg.debits_pending - leg.debits_posted
                ELSE leg.debits_posted - leg.credits_pending - leg.credits_posted
            END
        WHERE account_id = leg.account_id AND slot = leg.slot AND NOT closed
        RETURNING account_id, slot,
            debits_pending - credits_pending - leg.debits_pending + leg.credits_pending,
            debits_posted - credits_posted - leg.debits_posted + leg.credits_posted
        INTO net;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'PN098';
        END IF;
        befores := befores || net;
    END LOOP;
    PERFORM ledger_record(planned, befores);
    RETURN planned;
EXCEPTION WHEN SQLSTATE 'PN098' THEN
    -- An account is closed, or another has booked one of the ids since we looked.
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION ledger_together IS
    'Books all of the orders and says as which transfers; or nothing, and null, when some order '
    'is not of the common kind.';

CREATE FUNCTION ledger_record(p_transfers transfers [], p_befores ledger_net []) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    -- Under all locks, as in ledger_write. To write a transfer takes more than the microsecond
    -- by which each is later than the one before: none is recorded ahead of its time.
    first_at CONSTANT TIMESTAMPTZ := clock_timestamp();
    tick CONSTANT INTERVAL := '1 microsecond';
    written INTEGER;
BEGIN
    INSERT INTO transfers
    SELECT t.id, t.state, t.pending_id, t.part, t.is_final, t.kind, t.debit_account_id,
        t.credit_account_id, t.debit_slot, t.credit_slot, t.amount, t.released, t.currency,
        t.mode, t.merchant_id, t.object_id, t.transaction_id, t.sequence, NULL, NULL, t.metadata,
        coalesce(t.effective_at, first_at + t.ordinality * tick), first_at + t.ordinality * tick
    FROM unnest(p_transfers) WITH ORDINALITY AS t
    ON CONFLICT (id) DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> cardinality(p_transfers) THEN
        RAISE EXCEPTION USING ERRCODE = 'PN098';
    END IF;
    INSERT INTO ledger_entries (
        id, transaction_id, account_id, delta, balance_after, type, created_at, transfer_id,
        currency, slot, released, effective_at
    )
    SELECT
        ledger_entry_number(first_at + leg.nth * tick, leg.slot),
        t.transaction_id, leg.account_id,
        CASE WHEN leg.posted <> 0 THEN leg.posted ELSE leg.pending END,
        CASE WHEN leg.posted <> 0 THEN b.posted + sum(leg.posted) OVER so_far
            ELSE b.pending + sum(leg.pending) OVER so_far END,
        CASE WHEN leg.posted <> 0 THEN 'posted' WHEN t.state = 'void' THEN 'voided'
            ELSE 'pending' END::entry_type,
        first_at + leg.nth * tick, t.id, t.currency, leg.slot,
        CASE WHEN leg.posted <> 0 THEN -leg.pending ELSE 0 END,
        coalesce(t.effective_at, first_at + leg.nth * tick)
    FROM unnest(p_transfers) WITH ORDINALITY AS t
    INNER JOIN (
        SELECT *, debits_pending - credits_pending AS pending,
            debits_posted - credits_posted AS posted
        FROM ledger_legs(p_transfers)
    ) AS leg ON leg.nth = t.ordinality
    INNER JOIN unnest(p_befores) AS b ON b.account_id = leg.account_id AND b.slot = leg.slot
    WINDOW so_far AS (PARTITION BY leg.account_id, leg.slot ORDER BY leg.nth);
    DELETE FROM open_holds
    WHERE transfer_id = ANY(ARRAY(SELECT t.pending_id FROM unnest(p_transfers) AS t));
    INSERT INTO open_holds (transfer_id, amount_left, merchant_id)
    SELECT t.id, t.amount, t.merchant_id FROM unnest(p_transfers) AS t WHERE t.state = 'pending';
END
$$;
COMMENT ON FUNCTION ledger_record IS
    'Transfers whose balances have moved, their entries and their holds.';

CREATE FUNCTION ledger_together_results(p_transfers transfers [], p_balances BOOLEAN)
RETURNS SETOF ledger_result
LANGUAGE sql STABLE AS $$
    WITH legs AS (
        -- What the later transfers did is taken off what the accounts came to in the end.
        SELECT l.nth, l.debits_pending <> 0 OR l.debits_posted <> 0 AS is_debit,
            sum(l.debits_posted - l.credits_posted) OVER later AS posted,
            sum(l.debits_pending - l.credits_pending) OVER later AS pending, l.account_id
        FROM ledger_legs(p_transfers) AS l
        WHERE p_balances
        WINDOW later AS (
            PARTITION BY l.account_id ORDER BY l.nth
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        )
    ), totals AS (
        SELECT b.account_id, sum(b.debits_posted - b.credits_posted) AS posted,
            sum(b.debits_pending - b.credits_pending) AS pending
        FROM account_balances AS b
        WHERE b.account_id IN (SELECT legs.account_id FROM legs)
        GROUP BY b.account_id
    ), nets AS (
        SELECT legs.nth, legs.is_debit, totals.posted - coalesce(legs.posted, 0) AS posted,
            totals.pending - coalesce(legs.pending, 0) AS pending
        FROM legs INNER JOIN totals ON totals.account_id = legs.account_id
    )
    SELECT t.id, 'created', NULL, t.amount, t.debit_account_id, t.credit_account_id,
        d.posted::BIGINT, d.pending::BIGINT, c.posted::BIGINT, c.pending::BIGINT
    FROM unnest(p_transfers) WITH ORDINALITY AS t
    LEFT JOIN nets AS d ON d.nth = t.ordinality AND d.is_debit
    LEFT JOIN nets AS c ON c.nth = t.ordinality AND NOT c.is_debit
    ORDER BY t.ordinality
$$;
COMMENT ON FUNCTION ledger_together_results IS
    'One result for each transfer, in their order; with the balances after it, if they are asked.';
