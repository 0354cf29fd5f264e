-- What the books do for a complete payment: the hold, then its post and the fee.
SELECT hold, payment
FROM (SELECT uuidv7() AS hold, uuidv7() AS payment OFFSET 0) AS ids,
    ledger_book(ARRAY[ROW(
        hold, 'pending', 'payment', 'gateway_receivable', NULL, 'merchant_payable', :merchant,
        1999, 'EUR', 'test', 'pay_' || payment, payment, NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL
    )::LEDGER_ORDER])
\gset
SELECT ledger_book(ARRAY[ROW(
    uuidv7(), 'post', 'payment', NULL, NULL, NULL, NULL, NULL, 'EUR', 'test', NULL, NULL,
    :hold, NULL, NULL, NULL, NULL, NULL, NULL, NULL
)::LEDGER_ORDER, ROW(
    uuidv7(), 'single', 'fee', 'merchant_payable', :merchant, 'fees', NULL, 55, 'EUR', 'test',
    'pay_' || :payment, :payment, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
)::LEDGER_ORDER]);
