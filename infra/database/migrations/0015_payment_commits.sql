-- The commits of a payment, each in one call: what was decided is written whole or not at all.
-- Nothing is decided here; the rules are in paynexus/payments.

CREATE TYPE payment_answer AS (
    object_id UUID,  -- the payment, or the operation on it, whose key answers so from now on
    status INTEGER,
    headers JSONB,
    body TEXT
);

-- What may change of a payment.
CREATE TYPE payment_state AS (
    status payment_status,
    captured_amount BIGINT,
    captures SMALLINT,
    refunded_amount BIGINT,
    refunding_amount BIGINT,
    disputed_amount BIGINT,
    disputed_excess BIGINT,
    fee_amount BIGINT,
    challenge payment_challenge,
    failure_code TEXT,
    failure_message TEXT,
    open_operation payment_operation,
    open_operation_id UUID,
    open_operation_amount BIGINT,
    open_operation_is_final BOOLEAN
);

CREATE FUNCTION payment_accept(
    p_id UUID, p_merchant_id UUID, p_mode TEXT, p_operation TEXT, p_key TEXT,
    p_request BYTEA, p_now TIMESTAMPTZ, p_running_until TIMESTAMPTZ, p_expires_at TIMESTAMPTZ,
    p_is_claimed BOOLEAN, p_amount BIGINT, p_currency TEXT, p_capture payment_capture,
    p_payment_method TEXT, p_fingerprint TEXT, p_reference TEXT, p_description TEXT,
    p_metadata JSONB, p_qr_code_id UUID, p_customer payment_customers,
    p_observed fraud_observations, p_hold ledger_order, p_event_id UUID, p_event_object TEXT, p_event_data JSONB,
    OUT state TEXT, OUT object_id UUID, OUT status INTEGER, OUT headers JSONB, OUT body TEXT
)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    IF NOT p_is_claimed THEN
        -- What claim_key does for a new key, which nearly all are, without the call of it.
        INSERT INTO idempotency_keys (
            merchant_id, mode, operation, key, fingerprint, object_id, running_until, created_at,
            expires_at
        ) VALUES (
            p_merchant_id, p_mode, p_operation, p_key, p_request, p_id, p_running_until, p_now,
            p_expires_at
        ) ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING;
        IF NOT FOUND THEN
            SELECT * INTO state, object_id, status, headers, body FROM claim_key(
                p_merchant_id, p_mode, p_operation, p_key, p_request, p_id, p_now,
                p_running_until, p_expires_at
            );
            IF state <> 'claimed' THEN
                RETURN;
            END IF;
        END IF;
    END IF;
    state := 'claimed';
    object_id := p_id;
    INSERT INTO transactions (
        id, merchant_id, mode, amount, currency, status, capture, payment_method, fingerprint,
        fee_basis_points, fee_fixed_minor, transfer_id, reference, description, metadata,
        qr_code_id, idempotency_key, created_at, updated_at
    )
    -- The fees in force now, and nobody's word for them.
    SELECT
        p_id, p_merchant_id, p_mode, p_amount, p_currency, 'PENDING', p_capture,
        p_payment_method, p_fingerprint, f.basis_points, f.fixed_minor, p_hold.id,
        p_reference, p_description, p_metadata, p_qr_code_id, p_key, p_now, p_now
    FROM merchant_fees AS f
    WHERE f.merchant_id = p_merchant_id AND f.currency = p_currency;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'This merchant takes no payments in %.', p_currency
            USING ERRCODE = 'PN012', COLUMN = 'currency';
    END IF;
    IF p_customer.payment_id IS NOT NULL THEN
        INSERT INTO payment_customers SELECT p_customer.*;
    END IF;
    INSERT INTO fraud_observations SELECT p_observed.*;
    INSERT INTO events (id, source, type, mode, merchant_id, object_id, sequence, data, created_at)
    VALUES (
        p_event_id, 'payments.events', 'payment.created.v1', p_mode, p_merchant_id,
        p_event_object, 1, p_event_data, clock_timestamp()
    );
    -- The books last: the locks on balances are held for the least time.
    PERFORM ledger_book_one(p_hold);
END
$$;
COMMENT ON FUNCTION payment_accept IS
    'The key is claimed and, by the first, the payment on record, its money reserved, its event '
    'told. What the claim came to, as claim_key says it; PN012 for a currency in which no fees are '
    'agreed with the merchant.';

CREATE FUNCTION payment_end(
    p_id UUID, p_version INTEGER, p_now TIMESTAMPTZ, p_state payment_state, p_charged TEXT,
    p_refund refunds, p_event_id UUID, p_event_type TEXT, p_event_object TEXT,
    p_event_data JSONB, p_answers payment_answer [], p_orders ledger_order []
) RETURNS VOID
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    owner UUID;
    payment_mode TEXT;
    answer payment_answer;
    booking ledger_order;
BEGIN
    UPDATE transactions SET
        status = p_state.status, captured_amount = p_state.captured_amount,
        captures = p_state.captures,
        refunded_amount = p_state.refunded_amount, refunding_amount = p_state.refunding_amount,
        disputed_amount = p_state.disputed_amount, disputed_excess = p_state.disputed_excess,
        fee_amount = p_state.fee_amount, challenge = p_state.challenge,
        failure_code = p_state.failure_code, failure_message = p_state.failure_message,
        open_operation = p_state.open_operation, open_operation_id = p_state.open_operation_id,
        open_operation_amount = p_state.open_operation_amount,
        open_operation_is_final = p_state.open_operation_is_final,
        gateway_response = CASE WHEN p_charged IS NULL THEN gateway_response ELSE (
            SELECT response FROM attempts WHERE operation_id = p_id ORDER BY number DESC LIMIT 1
        ) END,
        updated_at = p_now, version = version + 1
    -- What the charge came to may have been read before: it must be so still.
    WHERE id = p_id AND version = p_version AND (p_charged IS NULL OR p_charged = (
        SELECT outcome FROM attempts WHERE operation_id = p_id ORDER BY number DESC LIMIT 1
    ))
    RETURNING merchant_id, mode INTO owner, payment_mode;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'payment % has changed meanwhile', p_id USING ERRCODE = 'PN013';
    END IF;
    IF p_refund.id IS NOT NULL THEN
        INSERT INTO refunds SELECT p_refund.*
        ON CONFLICT (id) DO UPDATE SET
            status = excluded.status, failure_code = excluded.failure_code,
            failure_message = excluded.failure_message, updated_at = excluded.updated_at;
    END IF;
    IF p_event_id IS NOT NULL THEN
        INSERT INTO events (
            id, source, type, mode, merchant_id, object_id, sequence, data, created_at
        ) VALUES (
            p_event_id, 'payments.events', p_event_type, payment_mode, owner, p_event_object,
            1 + coalesce((
                SELECT max(e.sequence) FROM events AS e WHERE e.object_id = p_event_object
            ), 0),
            p_event_data, clock_timestamp()
        );
    END IF;
    FOREACH answer IN ARRAY p_answers LOOP
        UPDATE idempotency_keys SET
            status = answer.status, headers = answer.headers, body = answer.body,
            finished_at = p_now
        WHERE object_id = answer.object_id AND finished_at IS NULL;
    END LOOP;
    -- The books last: the locks on balances are held for the least time.
    FOREACH booking IN ARRAY p_orders LOOP
        PERFORM ledger_book_one(booking);
    END LOOP;
END
$$;
COMMENT ON FUNCTION payment_end IS
    'The payment is as decided, with its books, events and stored answers; PN013 when it is no '
    'longer of the version that was decided about, or its charge has come to something else.';

CREATE FUNCTION payment_begin(
    p_operation TEXT, p_key TEXT, p_request BYTEA, p_claimed_at TIMESTAMPTZ,
    p_running_until TIMESTAMPTZ, p_expires_at TIMESTAMPTZ, p_operation_id UUID,
    p_id UUID, p_version INTEGER, p_now TIMESTAMPTZ, p_state payment_state, p_charged TEXT,
    p_refund refunds, p_event_id UUID, p_event_type TEXT, p_event_object TEXT,
    p_event_data JSONB, p_answers payment_answer [], p_orders ledger_order [],
    OUT state TEXT, OUT object_id UUID, OUT status INTEGER, OUT headers JSONB, OUT body TEXT
)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    owner UUID;
    payment_mode TEXT;
BEGIN
    -- The payment first: a claim must not wait for a payment while others wait for the key.
    SELECT merchant_id, mode INTO owner, payment_mode FROM transactions
    WHERE id = p_id FOR UPDATE;
    SELECT * INTO state, object_id, status, headers, body FROM claim_key(
        owner, payment_mode, p_operation, p_key, p_request, p_operation_id, p_claimed_at,
        p_running_until, p_expires_at
    );
    IF state = 'claimed' THEN
        PERFORM payment_end(
            p_id, p_version, p_now, p_state, p_charged, p_refund, p_event_id, p_event_type,
            p_event_object, p_event_data, p_answers, p_orders
        );
    END IF;
END
$$;
COMMENT ON FUNCTION payment_begin IS
    'The key is claimed and, by the first, the payment is as decided (payment_end).';
