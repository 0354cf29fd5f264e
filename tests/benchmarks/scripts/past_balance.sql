-- The account's balance at some time of its past, as it was known at some later time.
SELECT ledger_balance_at(:account, effective, effective + random() * (now() - effective))
FROM (SELECT now() - random() * INTERVAL '90 days' AS effective OFFSET 0) AS moment;
