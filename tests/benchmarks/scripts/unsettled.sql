-- Merchants with money to be paid: payments and their fees, posted one after the other over the
-- last day, the merchants taking turns. Who calls this has switched triggers off: they would ask
-- again what is so by construction, row by row.
CREATE FUNCTION pg_temp.write_unsettled(
    payments BIGINT, payables UUID [], receivable UUID, fees UUID
) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    merchants CONSTANT BIGINT := cardinality(payables);
    spread CONSTANT BIGINT := 64;
    beginning CONSTANT TIMESTAMPTZ := date_trunc('hour', now()) - INTERVAL '1 day';
    a_moment CONSTANT INTERVAL := INTERVAL '1 microsecond';
BEGIN
    PERFORM make_partitions('ledger_entries', beginning::DATE, 2);

    -- k: the how-manieth payment of its merchant; j: of its slot in the platform's accounts.
    CREATE TEMPORARY TABLE unsettled ON COMMIT DROP AS
    SELECT n, h.at, (n % spread)::SMALLINT AS slot, n / merchants + 1 AS k, n / spread + 1 AS j,
        payables[n % merchants + 1] AS payable,
        uuidv7(h.at - clock_timestamp()) AS payment,
        uuidv7(h.at - clock_timestamp()) AS fee
    FROM generate_series(0, payments - 1) AS n
    CROSS JOIN LATERAL (SELECT beginning + n * (INTERVAL '23 hours' / payments) AS at) AS h;

    INSERT INTO transfers (
        id, state, is_final, kind, debit_account_id, credit_account_id, debit_slot, credit_slot,
        amount, released, currency, mode, object_id, transaction_id, sequence, effective_at,
        created_at
    )
    SELECT t.id, 'single', TRUE, t.kind, t.debit, t.credit, t.debit_slot, t.credit_slot, t.amount,
        0, 'EUR', 'test', 'pay_' || u.payment, u.payment, 1, t.at, t.at
    FROM unsettled AS u
    CROSS JOIN LATERAL (VALUES
        (u.payment, 'payment'::TRANSFER_KIND, receivable, u.payable, u.slot, 0::SMALLINT, 1999, u.at),
        (u.fee, 'fee', u.payable, fees, 0, u.slot, 55, u.at + a_moment)
    ) AS t (id, kind, debit, credit, debit_slot, credit_slot, amount, at);

    INSERT INTO ledger_entries (
        id, transaction_id, account_id, delta, balance_after, type, created_at, transfer_id,
        currency, slot, released, effective_at
    )
    SELECT ledger_entry_id_at(e.at) + (4 * u.n + e.leg & 1023), u.payment, e.account, e.delta,
        e.balance_after, 'posted', e.at, e.transfer, 'EUR', e.slot, 0, e.at
    FROM unsettled AS u
    CROSS JOIN LATERAL (VALUES
        (0, u.at, receivable, 1999, 1999 * u.j, u.payment, u.slot),
        (1, u.at, u.payable, -1999, -1944 * (u.k - 1) - 1999, u.payment, 0::SMALLINT),
        (2, u.at + a_moment, u.payable, 55, -1944 * u.k, u.fee, 0),
        (3, u.at + a_moment, fees, -55, -55 * u.j, u.fee, u.slot)
    ) AS e (leg, at, account, delta, balance_after, transfer, slot);

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
