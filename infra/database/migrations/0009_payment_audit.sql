-- Rules that tie payments to their neighbours.

CREATE VIEW audit.payment_was_charged_without_a_decision AS
SELECT a.payment_id, a.id AS attempt_id
FROM attempts AS a
WHERE a.operation = 'charge'
    AND NOT EXISTS (SELECT FROM fraud_decisions AS d WHERE d.payment_id = a.payment_id);

CREATE VIEW audit.challenged_payment_was_charged_without_proof AS
SELECT a.payment_id, a.id AS attempt_id
FROM attempts AS a
INNER JOIN fraud_decisions AS d ON d.payment_id = a.payment_id
INNER JOIN transactions AS p ON p.id = a.payment_id
WHERE a.operation = 'charge' AND d.verdict = 'CHALLENGE' AND p.challenge <> 'authenticated';
