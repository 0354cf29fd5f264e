-- Several gateways for one charge: why each was chosen, and how each has done of late.

ALTER TABLE attempts ADD COLUMN routing JSONB;
COMMENT ON COLUMN attempts.routing IS
    'Of a charge: why this gateway (paynexus/gateways/routing.py); absent where there was no choice to make.';
CREATE INDEX attempts_by_time ON attempts USING brin (created_at) WITH (autosummarize = on);

-- The next gateway is asked only once the one before has certainly not taken the money.
CREATE VIEW audit.charge_went_elsewhere_before_it_was_certain AS
SELECT a.id AS attempt_id, a.payment_id, a.outcome
FROM attempts AS a
WHERE a.operation = 'charge' AND a.outcome IS DISTINCT FROM 'NOT_SENT'
    AND a.outcome IS DISTINCT FROM 'DECLINED'
    AND EXISTS (
        SELECT FROM attempts AS b
        WHERE b.operation_id = a.operation_id AND b.number > a.number
    );
