-- A complete payment: accepted in one call and ended in another, each a commit, its values bound
-- as the product binds them. The next payment's ids come back with the end of the one before:
-- the product makes them itself, and no statement of its own. No gateway is asked here, so the end
-- follows from no attempt.
\if :is_begun
\else
SELECT uuidv7() AS payment, uuidv7() AS hold
\gset
\set is_begun 1
\endif
SELECT * FROM payment_accept(
    :payment, :merchant, 'test', 'POST /payments', 'key-' || :payment,
    sha256(:hold), now(), now() + INTERVAL '1 minute', now() + INTERVAL '1 day', FALSE, 1999,
    'EUR', 'automatic', 'tok_' || :payment, encode(sha256(:payment), 'hex'),
    'order-' || :payment, 'A payment of the benchmark', '{}', NULL, NULL,
    ROW(
        :payment, :merchant, 'test', now(), 1999, 'EUR', substr(sha256(:payment), 1, 16), NULL,
        NULL, NULL, NULL
    )::FRAUD_OBSERVATIONS,
    format(
        '(%s,pending,payment,gateway_receivable,,merchant_payable,%s,1999,EUR,test,pay_%s,%3$s,,,,f,,,,)',
        :hold::TEXT, :merchant, :payment::TEXT
    )::LEDGER_ORDER,
    uuidv7(), 'pay_' || :payment, :created
);
SELECT uuidv7() AS payment, uuidv7() AS hold
FROM payment_end(
    :payment, 1, now(), '(COMPLETED,1999,1,0,0,0,0,55,none,,,,,,)', NULL, NULL,
    uuidv7(), 'payment.completed.v1', 'pay_' || :payment, :completed,
    ARRAY[ROW(:payment, 201, '{}', :completed)::PAYMENT_ANSWER],
    format(
        '{"(%s,post,,,,,,1999,,,,,%s,t,,f,,,,)",'
        '"(%s,single,fee,merchant_payable,%s,fees,,55,EUR,test,pay_%s,%5$s,,,,f,,,,)"}',
        uuidv7(), :hold::TEXT, uuidv7(), :merchant, :payment::TEXT
    )::LEDGER_ORDER []
)
\gset
