-- Fraud: what is known at a moment of a card and of a terminal (paynexus/fraud/history/model.py
-- says what the bounds mean). Payments without a terminal share one: their merchant.

CREATE INDEX fraud_observations_without_terminal
ON fraud_observations (merchant_id, mode, observed_at) WHERE terminal IS NULL;
CREATE INDEX fraud_labels_without_terminal
ON fraud_labels (merchant_id, mode, known_at) WHERE terminal IS NULL;

-- Nothing from p_as_of on is read, be it a payment or a label, so a decision of the past is asked
-- about in the same words. However busy a card or a terminal is, no more than the newest hundred
-- rows of each are read, by index.
CREATE FUNCTION fraud_history(
    p_card BYTEA,
    p_terminal BYTEA,
    p_merchant_id UUID,
    p_mode TEXT,
    p_currency CHAR(3),
    p_as_of TIMESTAMPTZ
) RETURNS JSONB
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH
    paid AS (
        SELECT observed_at, amount, currency
        FROM fraud_observations
        WHERE card = p_card AND observed_at < p_as_of
            AND observed_at > p_as_of - INTERVAL '90 days'
        ORDER BY observed_at DESC, payment_id DESC
        LIMIT 100
    ),
    said_of_card AS (
        SELECT id, payment_id, observed_at, is_fraud, known_at
        FROM fraud_labels
        WHERE card = p_card AND known_at < p_as_of
        ORDER BY known_at DESC, id DESC
        LIMIT 100
    ),
    card_frauds AS (
        SELECT DISTINCT ON (payment_id) observed_at, is_fraud
        FROM said_of_card
        WHERE observed_at > p_as_of - INTERVAL '90 days'
        ORDER BY payment_id, known_at DESC, id DESC
    ),
    said_of_terminal AS (
        (
            SELECT id, payment_id, observed_at, is_fraud, known_at, card
            FROM fraud_labels
            WHERE terminal = p_terminal AND known_at < p_as_of
            ORDER BY known_at DESC, id DESC
            LIMIT 100
        )
        UNION ALL
        (
            SELECT id, payment_id, observed_at, is_fraud, known_at, card
            FROM fraud_labels
            WHERE p_terminal IS NULL AND terminal IS NULL
                AND merchant_id = p_merchant_id AND mode = p_mode AND known_at < p_as_of
            ORDER BY known_at DESC, id DESC
            LIMIT 100
        )
    ),
    terminal_labels AS (
        SELECT DISTINCT ON (payment_id) payment_id, observed_at, is_fraud, card
        FROM said_of_terminal
        WHERE observed_at > p_as_of - INTERVAL '37 days'
        ORDER BY payment_id, known_at DESC, id DESC
    ),
    mature AS (
        (
            SELECT payment_id, observed_at
            FROM fraud_observations
            WHERE terminal = p_terminal AND observed_at <= p_as_of - INTERVAL '7 days'
                AND observed_at > p_as_of - INTERVAL '37 days'
            ORDER BY observed_at DESC, payment_id DESC
            LIMIT 100
        )
        UNION ALL
        (
            SELECT payment_id, observed_at
            FROM fraud_observations
            WHERE p_terminal IS NULL AND terminal IS NULL
                AND merchant_id = p_merchant_id AND mode = p_mode
                AND observed_at <= p_as_of - INTERVAL '7 days'
                AND observed_at > p_as_of - INTERVAL '37 days'
            ORDER BY observed_at DESC, payment_id DESC
            LIMIT 100
        )
    )
    SELECT jsonb_build_object(
        'payments', (
            SELECT coalesce(jsonb_agg(jsonb_build_array(
                floor(extract(EPOCH FROM p_as_of - observed_at))::BIGINT, amount
            )), '[]')
            FROM paid WHERE currency = p_currency
        ),
        'card_frauds', (
            SELECT coalesce(jsonb_agg(
                floor(extract(EPOCH FROM p_as_of - observed_at))::BIGINT
            ), '[]')
            FROM card_frauds WHERE is_fraud
        ),
        'genuine', (
            SELECT coalesce(jsonb_agg(
                floor(extract(EPOCH FROM p_as_of - m.observed_at))::BIGINT
            ), '[]')
            FROM mature AS m
            WHERE m.payment_id NOT IN (SELECT l.payment_id FROM terminal_labels AS l WHERE l.is_fraud)
        ),
        'terminal_frauds', (
            SELECT coalesce(jsonb_agg(jsonb_build_array(
                floor(extract(EPOCH FROM p_as_of - observed_at))::BIGINT, encode(card, 'hex')
            )), '[]')
            FROM terminal_labels WHERE is_fraud
        )
    )
$$;
