-- A complete payment: accepted in one call and ended in another, each a commit, its values bound
-- as the product binds them. The next payment's ids come back with the end of the one before:
-- the product makes them itself, and no statement of its own.
\if :is_begun
\else
SELECT uuidv7() AS payment, uuidv7() AS hold
\gset
\set is_begun 1
\endif
SELECT * FROM payment_accept(
    :payment, :merchant, 'test', 'POST /payments', 'key-' || :payment,
    sha256(:hold), now(), now() + INTERVAL '1 minute', now() + INTERVAL '1 day', FALSE, 1999,
    'EUR', 'automatic', 'tok_' || :payment, encode(sha256(:payment), 'hex'), 150, 25,
    'order-' || :payment, 'A payment of the benchmark', '{}', NULL, NULL,
    ROW(
        :hold, 'pending', 'payment', 'gateway_receivable', NULL, 'merchant_payable', :merchant,
        1999, 'EUR', 'test', 'pay_' || :payment, :payment, NULL, NULL, NULL, FALSE, NULL, NULL,
        NULL, NULL
    )::LEDGER_ORDER,
    ROW(uuidv7(), 'payment.created.v1', 'pay_' || :payment, :created)::PAYMENT_EVENT
);
SELECT uuidv7() AS payment, uuidv7() AS hold
FROM payment_end(
    :payment, 1, now(),
    ROW('COMPLETED', 1999, 0, 0, 55, 'none', NULL, NULL, NULL, NULL, NULL)::PAYMENT_STATE, TRUE,
    NULL,
    ARRAY[ROW(
        uuidv7(), 'payment.completed.v1', 'pay_' || :payment, :completed
    )::PAYMENT_EVENT],
    ARRAY[ROW(:payment, 201, '{}', :completed)::PAYMENT_ANSWER],
    ARRAY[ROW(
        uuidv7(), 'post', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, :hold, TRUE,
        NULL, FALSE, NULL, NULL, NULL, NULL
    )::LEDGER_ORDER, ROW(
        uuidv7(), 'single', 'fee', 'merchant_payable', :merchant, 'fees', NULL, 55, 'EUR', 'test',
        'pay_' || :payment, :payment, NULL, NULL, NULL, FALSE, NULL, NULL, NULL, NULL
    )::LEDGER_ORDER]
)
\gset
