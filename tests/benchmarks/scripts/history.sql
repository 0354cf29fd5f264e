-- A past of consistent books: payments one after the other over the last 90 days, each held,
-- posted a second later and charged its fee, the merchants taking turns. Who calls this has
-- switched triggers off: they would ask again what is so by construction, row by row.
CREATE FUNCTION pg_temp.write_history(
    payments BIGINT, payables UUID [], receivable UUID, fees UUID
) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    merchants CONSTANT BIGINT := cardinality(payables);
    beginning CONSTANT TIMESTAMPTZ := date_trunc('hour', now()) - INTERVAL '90 days';
    a_second CONSTANT INTERVAL := INTERVAL '1 second';
    a_moment CONSTANT INTERVAL := INTERVAL '1 microsecond';
BEGIN
    PERFORM make_partitions('ledger_entries', beginning::DATE, 4);

    -- k: the how-manieth payment of its merchant, and of its slot in the platform's accounts.
    CREATE TEMPORARY TABLE history ON COMMIT DROP AS
    SELECT n, h.at, (n % merchants)::SMALLINT AS slot, n / merchants + 1 AS k,
        payables[n % merchants + 1] AS payable,
        uuidv7(h.at - clock_timestamp()) AS payment,
        uuidv7(h.at - clock_timestamp()) AS hold,
        uuidv7(h.at + a_second - clock_timestamp()) AS post,
        uuidv7(h.at + a_second - clock_timestamp()) AS fee
    FROM generate_series(0, payments - 1) AS n
    CROSS JOIN LATERAL (SELECT beginning + n * (INTERVAL '89 days' / payments) AS at) AS h;

    INSERT INTO transfers (
        id, state, pending_id, part, is_final, kind, debit_account_id, credit_account_id,
        debit_slot, credit_slot, amount, released, currency, mode, object_id, transaction_id,
        sequence, effective_at, created_at
    )
    SELECT t.id, t.state, t.pending_id, t.part, t.is_final, t.kind, t.debit, t.credit,
        t.debit_slot, t.credit_slot, t.amount, t.released, 'EUR', 'test',
        'pay_' || h.payment, h.payment, t.sequence, t.at, t.at
    FROM history AS h
    CROSS JOIN LATERAL (VALUES
        (h.hold, 'pending'::TRANSFER_STATE, NULL::UUID, NULL::SMALLINT, FALSE,
            'payment'::TRANSFER_KIND, receivable, h.payable, h.slot, 0::SMALLINT,
            1999, 0, 1, h.at),
        (h.post, 'post', h.hold, 1, TRUE, 'payment', receivable, h.payable, h.slot, 0,
            1999, 1999, 2, h.at + a_second),
        (h.fee, 'single', NULL, NULL, TRUE, 'fee', h.payable, fees, 0, h.slot,
            55, 0, 1, h.at + a_second + a_moment)
    ) AS t (id, state, pending_id, part, is_final, kind, debit, credit, debit_slot, credit_slot,
        amount, released, sequence, at);

    INSERT INTO ledger_entries (
        id, transaction_id, account_id, delta, balance_after, type, created_at, transfer_id,
        currency, slot, released, effective_at
    )
    SELECT ledger_entry_id_at(e.at) + (6 * h.n + e.leg & 1023), h.payment, e.account, e.delta, e.balance_after, e.type,
        e.at, e.transfer, 'EUR', e.slot, e.released, e.at
    FROM history AS h
    CROSS JOIN LATERAL (VALUES
        (0, h.at, receivable, 1999, 1999, 'pending'::ENTRY_TYPE, h.hold, h.slot, 0),
        (1, h.at, h.payable, -1999, -1999, 'pending', h.hold, 0::SMALLINT, 0),
        (2, h.at + a_second, receivable, 1999, 1999 * h.k, 'posted', h.post, h.slot, 1999),
        (3, h.at + a_second, h.payable, -1999, -1944 * (h.k - 1) - 1999, 'posted', h.post, 0, -1999),
        (4, h.at + a_second + a_moment, h.payable, 55, -1944 * h.k, 'posted', h.fee, 0, 0),
        (5, h.at + a_second + a_moment, fees, -55, -55 * h.k, 'posted', h.fee, h.slot, 0)
    ) AS e (leg, at, account, delta, balance_after, type, transfer, slot, released);

    UPDATE account_balances AS b
    SET debits_posted = e.debits, credits_posted = e.credits
    FROM (
        SELECT account_id, slot, sum(greatest(delta, 0)) AS debits,
            sum(greatest(-delta, 0)) AS credits
        FROM ledger_entries WHERE type = 'posted' GROUP BY account_id, slot
    ) AS e
    WHERE b.account_id = e.account_id AND b.slot = e.slot;
END
$$;
