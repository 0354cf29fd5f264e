-- A batch of transfers in one commit.
SELECT ledger_book(ARRAY(
    SELECT ROW(
        uuidv7(), 'single', 'payment', 'gateway_receivable', NULL, 'merchant_payable',
        (:merchants::UUID [])[1 + floor(random() * array_length(:merchants::UUID [], 1))::INTEGER],
        1999, 'EUR', 'test', 'batch', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    )::LEDGER_ORDER
    FROM generate_series(1, :batch::INTEGER)
));
