-- The payments behind so many of the transfers, with the call of the gateway that charged each.
-- Who runs this has switched triggers off.
CREATE FUNCTION pg_temp.write_charges(payments BIGINT) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM make_partitions('transactions', now()::DATE - 1, 2);
    INSERT INTO transactions (
        id, merchant_id, amount, currency, status, mode, capture, captured_amount, captures,
        payment_method, fingerprint, transfer_id, created_at
    )
    SELECT t.id, a.merchant_id, t.amount, t.currency, 'COMPLETED', 'test', 'automatic', t.amount, 1,
        'tok', 'card', t.id, t.created_at
    FROM transfers AS t INNER JOIN accounts AS a ON a.id = t.credit_account_id
    WHERE t.kind = 'payment' ORDER BY t.id LIMIT payments;
    INSERT INTO attempts (
        id, payment_id, operation, operation_id, number, gateway, reference, amount, currency,
        outcome, created_at, finished_at
    )
    SELECT uuidv7(), id, 'charge', id, 1, 'sandbox', public_id('chg', id), amount, currency,
        'APPROVED', created_at, created_at
    FROM transactions;
END
$$;
