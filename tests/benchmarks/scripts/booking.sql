-- What the books do for a complete payment: the hold, then its post and the fee.
\if :is_begun
\else
SELECT uuidv7() AS payment, uuidv7() AS hold
\gset
\set is_begun 1
\endif
SELECT ledger_book_one(ROW(
    :hold, 'pending', 'payment', 'gateway_receivable', NULL, 'merchant_payable', :merchant,
    1999, 'EUR', 'test', 'pay_' || :payment, :payment, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL
)::LEDGER_ORDER);
SELECT uuidv7() AS payment, uuidv7() AS hold
FROM ledger_book_one(ROW(
    uuidv7(), 'post', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, :hold, TRUE,
    NULL, NULL, NULL, NULL, NULL, NULL
)::LEDGER_ORDER) AS post
CROSS JOIN LATERAL ledger_book_one(ROW(
    uuidv7(), 'single', 'fee', 'merchant_payable', :merchant, 'fees', NULL, 55, 'EUR', 'test',
    'pay_' || :payment, :payment, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
)::LEDGER_ORDER) AS fee
\gset
