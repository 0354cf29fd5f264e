-- Disputes: captured money that a payer asks back through the acquirer.

CREATE TABLE disputes (
    id UUID PRIMARY KEY,
    payment_id UUID NOT NULL,
    merchant_id UUID NOT NULL,
    mode payment_mode NOT NULL,
    amount positive NOT NULL,
    -- What of it the payment still held; the acquirer takes the rest all the same.
    covered_amount total NOT NULL,
    currency CHAR(3) NOT NULL,
    status TEXT NOT NULL,
    gateway TEXT NOT NULL,
    gateway_reference TEXT NOT NULL,
    reason TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT dispute_is_on_record_once UNIQUE (gateway, gateway_reference),
    CONSTRAINT dispute_status_is_known CHECK (status IN ('OPEN', 'WON', 'LOST')),
    CONSTRAINT dispute_covers_no_more_than_it_asks CHECK (covered_amount <= amount)
);
CREATE INDEX disputes_of_payment ON disputes (payment_id);

-- The lifecycle; paynexus/payments/dispute.py holds the same table.
CREATE FUNCTION dispute_may_become(p_old TEXT, p_new TEXT) RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_old = 'OPEN' THEN p_new IN ('WON', 'LOST')
        ELSE FALSE
    END
$$;

CREATE FUNCTION guard_dispute() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'disputes are never deleted' USING ERRCODE = 'PN020';
    ELSIF OLD.status <> NEW.status AND NOT dispute_may_become(OLD.status, NEW.status) THEN
        RAISE EXCEPTION 'a % dispute can not become %', OLD.status, NEW.status
            USING ERRCODE = 'PN010';
    ELSIF (OLD.id, OLD.payment_id, OLD.merchant_id, OLD.mode, OLD.amount, OLD.covered_amount,
            OLD.currency, OLD.gateway, OLD.gateway_reference) IS DISTINCT FROM
        (NEW.id, NEW.payment_id, NEW.merchant_id, NEW.mode, NEW.amount, NEW.covered_amount,
            NEW.currency, NEW.gateway, NEW.gateway_reference) THEN
        RAISE EXCEPTION 'what a dispute asks for never changes' USING ERRCODE = 'PN020';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dispute_follows_its_lifecycle BEFORE UPDATE OR DELETE ON disputes
FOR EACH ROW EXECUTE FUNCTION guard_dispute();
