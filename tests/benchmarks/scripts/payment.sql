-- A complete payment: accepted in one call and ended in another, each a commit. What a caller
-- would have made up, ids and digests, is made here; what it would say in JSON is bound.
SELECT ids.payment, ids.hold
FROM (SELECT uuidv7() AS payment, uuidv7() AS hold OFFSET 0) AS ids
CROSS JOIN LATERAL payment_accept(
    ids.payment, :merchant, 'test', 'POST /payments', 'key-' || ids.payment,
    sha256(ids.payment::TEXT::BYTEA), now(), now() + INTERVAL '1 minute',
    now() + INTERVAL '1 day', FALSE, 1999, 'EUR', 'automatic', 'tok_' || ids.payment,
    md5(ids.payment::TEXT) || md5(ids.hold::TEXT), 150, 25, 'order-' || ids.payment,
    'A payment of the benchmark', '{}', NULL, NULL,
    ROW(
        ids.hold, 'pending', 'payment', 'gateway_receivable', NULL, 'merchant_payable', :merchant,
        1999, 'EUR', 'test', 'pay_' || ids.payment, ids.payment, NULL, NULL, NULL, FALSE, NULL,
        NULL, NULL, NULL
    )::LEDGER_ORDER,
    ROW(uuidv7(), 'payment.created.v1', 'pay_' || ids.payment, :created)::PAYMENT_EVENT
)
\gset
SELECT payment_end(
    :payment, 1, now(),
    ROW('COMPLETED', 1999, 0, 0, 55, 'none', NULL, NULL, NULL, NULL, NULL)::PAYMENT_STATE, TRUE,
    NULL,
    ARRAY[ROW(
        uuidv7(), 'payment.completed.v1', 'pay_' || :payment, :completed
    )::PAYMENT_EVENT],
    ARRAY[ROW(
        :payment, 201, '{}', :completed
    )::PAYMENT_ANSWER],
    ARRAY[ROW(
        uuidv7(), 'post', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, :hold, TRUE,
        NULL, FALSE, NULL, NULL, NULL, NULL
    )::LEDGER_ORDER, ROW(
        uuidv7(), 'single', 'fee', 'merchant_payable', :merchant, 'fees', NULL, 55, 'EUR', 'test',
        'pay_' || :payment, :payment, NULL, NULL, NULL, FALSE, NULL, NULL, NULL, NULL
    )::LEDGER_ORDER]
);
