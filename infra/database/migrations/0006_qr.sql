-- QR codes: what merchants show, and the one payment that each was spent on.

CREATE TABLE qr_codes (
    id UUID PRIMARY KEY,
    merchant_id UUID NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL,
    usage TEXT NOT NULL DEFAULT 'single',
    -- NULL: the customer chooses.
    amount BIGINT,
    currency CHAR(3) NOT NULL,
    reference TEXT,
    -- The signed text as printed: a new signing key does not change it.
    payload TEXT NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    scanned_at TIMESTAMPTZ,
    -- SHA-256 of the token that the last scan gave out.
    token_hash BYTEA UNIQUE,
    token_expires_at TIMESTAMPTZ,
    -- No foreign key: the ledger's hot path carries none, the audit compares instead.
    payment_id UUID CONSTRAINT one_payment_spends_one_qr_code UNIQUE,
    spent_at TIMESTAMPTZ,
    CONSTRAINT qr_mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT qr_code_is_for_a_single_use CHECK (usage = 'single'),
    CONSTRAINT qr_amount_is_positive CHECK (amount > 0),
    CONSTRAINT qr_code_expires_after_it_was_made CHECK (expires_at > created_at),
    CONSTRAINT a_scan_has_a_token_and_its_expiry CHECK (
        (scanned_at IS NULL) = (token_hash IS NULL)
        AND (scanned_at IS NULL) = (token_expires_at IS NULL)
    ),
    CONSTRAINT a_spent_code_has_its_payment_and_time CHECK (
        (payment_id IS NULL) = (spent_at IS NULL)
    ),
    CONSTRAINT only_a_scanned_code_is_spent CHECK (payment_id IS NULL OR scanned_at IS NOT NULL)
);
CREATE INDEX qr_codes_of_merchant ON qr_codes (merchant_id, mode, id);

CREATE FUNCTION qr_code_is_spent_once() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.payment_id IS NOT NULL THEN
        RAISE EXCEPTION 'QR code % was spent: it never changes again', OLD.id
            USING ERRCODE = 'PN060';
    END IF;
    IF (NEW.id, NEW.merchant_id, NEW.mode, NEW.usage, NEW.amount, NEW.currency, NEW.reference,
        NEW.payload, NEW.created_at, NEW.expires_at)
        IS DISTINCT FROM
       (OLD.id, OLD.merchant_id, OLD.mode, OLD.usage, OLD.amount, OLD.currency, OLD.reference,
        OLD.payload, OLD.created_at, OLD.expires_at)
    THEN
        RAISE EXCEPTION 'QR code % was signed: what it says never changes', OLD.id
            USING ERRCODE = 'PN061';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER qr_code_is_spent_once
BEFORE UPDATE ON qr_codes
FOR EACH ROW EXECUTE FUNCTION qr_code_is_spent_once();

CREATE TRIGGER qr_codes_are_never_deleted
BEFORE DELETE ON qr_codes
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE VIEW audit.qr_code_was_spent_on_a_payment_it_does_not_ask_for AS
SELECT
    code.id AS qr_code_id,
    code.payment_id,
    code.merchant_id,
    code.mode,
    code.amount,
    code.currency
FROM qr_codes AS code
LEFT JOIN transactions AS payment ON payment.id = code.payment_id
WHERE
    code.payment_id IS NOT NULL
    AND (
        payment.id IS NULL
        OR payment.merchant_id <> code.merchant_id
        OR payment.mode <> code.mode
        OR payment.currency <> code.currency
        OR payment.amount <> coalesce(code.amount, payment.amount)
    );
COMMENT ON VIEW audit.qr_code_was_spent_on_a_payment_it_does_not_ask_for IS
    'A spent code whose payment is absent, another merchant''s, or of other money.';

CREATE VIEW audit.qr_code_was_spent_after_its_scan_expired AS
SELECT
    id AS qr_code_id,
    payment_id,
    token_expires_at,
    spent_at
FROM qr_codes
WHERE spent_at >= token_expires_at;
COMMENT ON VIEW audit.qr_code_was_spent_after_its_scan_expired IS
    'A code whose payment came later than its scan allowed.';

CREATE VIEW audit.qr_code_was_spent_by_two_payments AS
SELECT
    payment.qr_code_id,
    count(*) AS payments,
    min(code.payment_id::TEXT) AS spent_on
FROM transactions AS payment
LEFT JOIN qr_codes AS code ON code.id = payment.qr_code_id
WHERE payment.qr_code_id IS NOT NULL
GROUP BY payment.qr_code_id
HAVING count(*) > 1 OR bool_or(code.payment_id IS DISTINCT FROM payment.id);
COMMENT ON VIEW audit.qr_code_was_spent_by_two_payments IS
    'A single-use code that more than one payment names, or that belongs to another payment.';
