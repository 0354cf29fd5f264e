-- All that a fraud decision takes from the database, in one call.

CREATE FUNCTION fraud_gather(
    p_payment_id UUID, p_merchant_id UUID, p_mode TEXT, p_currency TEXT, p_at TIMESTAMPTZ,
    p_now TIMESTAMPTZ, p_fingerprint TEXT, p_emails TEXT [], p_ip INET, p_country TEXT,
    p_bin TEXT [], p_name BIGINT [], p_card BYTEA, p_terminal BYTEA, p_entities BYTEA [],
    OUT stored JSONB, OUT limits JSONB, OUT candidates JSONB, OUT snoozed UUID [],
    OUT history JSONB, OUT revisions BIGINT [], OUT settings JSONB, OUT has_gaps BOOLEAN
)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    SELECT jsonb_build_object('verdict', d.verdict, 'trace', d.trace) INTO stored
    FROM fraud_decisions AS d WHERE d.payment_id = p_payment_id;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT coalesce(m.configuration -> 'fraud', '{}') INTO limits
    FROM merchants AS m WHERE m.id = p_merchant_id;
    candidates := fraud_list_candidates(
        p_merchant_id, p_fingerprint, p_emails, p_ip, p_country, p_bin, p_name, p_now
    );
    snoozed := fraud_snoozed(p_merchant_id, p_entities, p_now);
    history := fraud_history(p_card, p_terminal, p_merchant_id, p_mode, p_currency, p_at);
    SELECT ARRAY[
        coalesce(max(r.revision) FILTER (WHERE r.merchant_id IS NULL), 0),
        coalesce(max(r.revision) FILTER (WHERE r.merchant_id = p_merchant_id), 0)
    ] INTO revisions
    FROM fraud_revisions AS r
    WHERE r.merchant_id IS NULL OR r.merchant_id = p_merchant_id;
    settings := fraud_settings_of(p_merchant_id);
    has_gaps := fraud_velocity_has_gaps(p_merchant_id, p_mode);
END
$$;
COMMENT ON FUNCTION fraud_gather IS
    'What stands of a payment that was judged before, and nothing else; of any other the merchant''s '
    'limits, what lists may say of it, which rules sleep for it, the history of its card and '
    'terminal before it, how new the rules are that it is to be judged by, which model scores it, '
    'and whether Redis may have missed payments.';
