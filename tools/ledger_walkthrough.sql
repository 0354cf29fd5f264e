-- A merchant, and two short words for what follows: `book` places orders (the fields that an
-- order leaves out are null), `shown` is who has what. Orders name their ids, as callers do:
-- whoever repeats an order after a lost answer repeats its id.
INSERT INTO merchants (id, name) VALUES ('00000000-0000-7000-8000-00000000cafe', 'Café');
CREATE FUNCTION book(VARIADIC orders JSONB []) RETURNS TABLE (
    status TEXT, amount BIGINT, debit_posted BIGINT, debit_pending BIGINT,
    credit_posted BIGINT, credit_pending BIGINT
) LANGUAGE sql AS $$
    SELECT t.status, t.amount, t.debit_posted, t.debit_pending, t.credit_posted, t.credit_pending
    FROM ledger_transfers(ARRAY(
        SELECT jsonb_populate_record(NULL::ledger_order,
            '{"currency": "EUR", "mode": "test", "object_id": "pay_1"}'::JSONB || o)
        FROM unnest(orders) WITH ORDINALITY AS u (o, n) ORDER BY n
    )) AS t
$$;
CREATE VIEW shown AS
SELECT a.type AS account, (n.balance).posted, (n.balance).pending, (n.balance).available
FROM accounts AS a CROSS JOIN LATERAL ledger_balances_now(ARRAY[a.id]) AS n
WHERE ((n.balance).posted, (n.balance).pending) <> (0, 0) ORDER BY a.type;

-- **Pay.** 100.00 EUR are reserved for a week: the gateway will owe us, we will owe the merchant.
-- Results carry both accounts' balances after the transfer, debits less credits.
SELECT * FROM book('{"id": "00000000-0000-7000-8000-000000000001", "state": "pending",
    "kind": "payment", "amount": 10000, "timeout_seconds": 604800,
    "debit": "gateway_receivable", "credit": "merchant_payable",
    "credit_merchant": "00000000-0000-7000-8000-00000000cafe"}');

-- **Capture and fee**, linked: both or neither. The post leaves its amount out: all that was
-- reserved.
SELECT * FROM book(
    '{"id": "00000000-0000-7000-8000-000000000002", "state": "post", "is_linked": true,
    "pending_id": "00000000-0000-7000-8000-000000000001"}',
    '{"id": "00000000-0000-7000-8000-000000000003", "state": "single", "kind": "fee",
    "amount": 175, "debit": "merchant_payable", "credit": "fees",
    "debit_merchant": "00000000-0000-7000-8000-00000000cafe"}');

-- The answer was lost, so the caller asks again: nothing is booked twice.
SELECT status, amount FROM book('{"id": "00000000-0000-7000-8000-000000000002", "state": "post",
    "pending_id": "00000000-0000-7000-8000-000000000001"}');

-- Asking for something else under a known id is refused, and the field at fault named.
SELECT status FROM book('{"id": "00000000-0000-7000-8000-000000000003", "state": "single",
    "kind": "fee", "amount": 200, "debit": "merchant_payable", "credit": "fees",
    "debit_merchant": "00000000-0000-7000-8000-00000000cafe"}');

-- **Refund** of 30.00: reserved while the gateway is asked. It is not the merchant's to spend
-- any more, though still on the account.
SELECT status FROM book('{"id": "00000000-0000-7000-8000-000000000004", "state": "pending",
    "kind": "refund", "amount": 3000, "object_id": "re_1", "debit": "merchant_payable",
    "debit_merchant": "00000000-0000-7000-8000-00000000cafe", "credit": "gateway_receivable"}');

SELECT * FROM shown;

-- The gateway could return 20.00 of it: a partial post. The rest is released.
SELECT * FROM book('{"id": "00000000-0000-7000-8000-000000000005", "state": "post",
    "amount": 2000, "pending_id": "00000000-0000-7000-8000-000000000004"}');

-- **Settle.** All that is available is sent to the bank: `balancing` takes what the debit account
-- can give, at most the amount.
SELECT * FROM book('{"id": "00000000-0000-7000-8000-000000000006", "state": "single",
    "kind": "payout", "amount": 1000000, "balancing": "debit", "object_id": "set_1",
    "debit": "merchant_payable", "credit": "settlement_in_transit",
    "debit_merchant": "00000000-0000-7000-8000-00000000cafe"}');

-- **Return.** The bank refuses: the payout is reversed, whole and once, by a transfer that names
-- it. (The product books `payout_rejected` instead, which has the same effect and a kind of its
-- own.)
SELECT * FROM book('{"id": "00000000-0000-7000-8000-000000000007", "state": "reverse",
    "reverses": "00000000-0000-7000-8000-000000000006"}');

SELECT status FROM book('{"id": "00000000-0000-7000-8000-000000000008", "state": "reverse",
    "reverses": "00000000-0000-7000-8000-000000000006"}');

SELECT * FROM shown;

-- **The merchant's statement**: opening balance 0, each line with what it changed, and the
-- balance after it.
SELECT s.kind, s.type, (s.change).posted, (s.change).pending, (s.balance).posted AS balance,
    (s.balance).available
FROM accounts AS a CROSS JOIN LATERAL
    ledger_statement(a.id, '-infinity', 'infinity', 'infinity', NULL, NULL, 100) AS s
WHERE a.type = 'merchant_payable';

-- **The past.** What was the merchant owed when the refund was asked for?
SELECT b.posted, b.pending, b.available
FROM transfers AS t, accounts AS a, ledger_balance_at(a.id, t.created_at) AS b
WHERE t.id = '00000000-0000-7000-8000-000000000004' AND a.type = 'merchant_payable';

-- A correction that counts from yesterday changes yesterday's balance, and not what was known of
-- it yesterday.
SELECT status FROM book(jsonb_build_object('id', '00000000-0000-7000-8000-000000000009',
    'state', 'single', 'kind', 'adjustment', 'amount', 500, 'object_id', 'adj_1',
    'debit', 'merchant_payable', 'debit_merchant', '00000000-0000-7000-8000-00000000cafe',
    'credit', 'suspense', 'effective_at', now() - INTERVAL '1 day'));

SELECT known.posted AS as_known_then, revised.posted AS as_known_now
FROM accounts AS a,
    ledger_balance_at(a.id, now() - INTERVAL '1 hour', now() - INTERVAL '1 hour') AS known,
    ledger_balance_at(a.id, now() - INTERVAL '1 hour') AS revised
WHERE a.type = 'merchant_payable';

-- **Limits.** With a limit on the merchant's account nothing takes more than is available; and
-- what was refused for want of funds stays refused under its id, whatever comes in later.
SELECT ledger_limit_account(id, 'debits_must_not_exceed_credits') AS limited FROM accounts
WHERE type = 'merchant_payable';

SELECT status FROM book('{"id": "00000000-0000-7000-8000-00000000000a", "state": "single",
    "kind": "adjustment", "amount": 999999, "debit": "merchant_payable", "credit": "suspense",
    "debit_merchant": "00000000-0000-7000-8000-00000000cafe"}');

SELECT status FROM book('{"id": "00000000-0000-7000-8000-00000000000a", "state": "single",
    "kind": "adjustment", "amount": 1, "debit": "merchant_payable", "credit": "suspense",
    "debit_merchant": "00000000-0000-7000-8000-00000000cafe"}');

-- **And the books balance**, as after every transfer: posted and pending debits are the credits.
SELECT sum(debits_posted) AS debits_posted, sum(credits_posted) AS credits_posted,
    sum(debits_pending) AS debits_pending, sum(credits_pending) AS credits_pending
FROM account_balances;

-- History does not change, whoever asks.
UPDATE transfers SET amount = amount + 1;
