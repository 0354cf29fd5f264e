-- QR codes: what merchants show; and their scans, each spent on one payment at most.

CREATE TABLE qr_codes (
    id UUID PRIMARY KEY,
    merchant_id UUID NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL,
    -- single: one payment; static: printed once, paid by many.
    usage TEXT NOT NULL,
    -- NULL: the customer chooses.
    amount BIGINT,
    currency CHAR(3) NOT NULL,
    reference TEXT,
    -- The signed text as printed: a new signing key does not change it.
    payload TEXT NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    -- NULL: never.
    expires_at TIMESTAMPTZ,
    UNIQUE (id, usage),
    CONSTRAINT qr_mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT qr_usage_is_single_or_static CHECK (usage IN ('single', 'static')),
    CONSTRAINT qr_amount_is_positive CHECK (amount > 0),
    CONSTRAINT a_static_code_leaves_the_amount_to_the_customer CHECK (
        usage = 'single' OR amount IS NULL
    ),
    CONSTRAINT a_single_code_expires CHECK (usage = 'static' OR expires_at IS NOT NULL),
    CONSTRAINT qr_code_expires_after_it_was_made CHECK (expires_at > created_at)
);
CREATE INDEX qr_codes_of_merchant ON qr_codes (merchant_id, mode, id);

CREATE TRIGGER qr_codes_are_immutable
BEFORE UPDATE OR DELETE ON qr_codes
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE qr_scans (
    -- SHA-256 of the token that the scan gave out.
    token_hash BYTEA PRIMARY KEY,
    qr_code_id UUID NOT NULL,
    usage TEXT NOT NULL,
    scanned_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    -- No foreign key: the ledger's hot path carries none, the audit compares instead.
    payment_id UUID CONSTRAINT one_payment_spends_one_qr_scan UNIQUE,
    spent_at TIMESTAMPTZ,
    FOREIGN KEY (qr_code_id, usage) REFERENCES qr_codes (id, usage),
    CONSTRAINT a_scan_expires_after_it_was_made CHECK (expires_at > scanned_at),
    CONSTRAINT a_spent_scan_has_its_payment_and_time CHECK (
        (payment_id IS NULL) = (spent_at IS NULL)
    )
);
CREATE UNIQUE INDEX one_payment_spends_a_single_qr_code ON qr_scans (qr_code_id)
WHERE usage = 'single' AND payment_id IS NOT NULL;
CREATE INDEX qr_scans_of_code ON qr_scans (qr_code_id, scanned_at);
CREATE INDEX qr_scans_spent ON qr_scans (qr_code_id, spent_at) WHERE spent_at IS NOT NULL;
CREATE INDEX qr_scans_unpaid ON qr_scans (expires_at) WHERE payment_id IS NULL;

CREATE FUNCTION qr_scan_is_spent_once() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.payment_id IS NOT NULL THEN
        RAISE EXCEPTION 'a scan of QR code % was spent: it never changes again', OLD.qr_code_id
            USING ERRCODE = 'PN060';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF (NEW.token_hash, NEW.qr_code_id, NEW.usage, NEW.scanned_at, NEW.expires_at)
        IS DISTINCT FROM
       (OLD.token_hash, OLD.qr_code_id, OLD.usage, OLD.scanned_at, OLD.expires_at)
    THEN
        RAISE EXCEPTION 'a scan of QR code % was told: what it says never changes', OLD.qr_code_id
            USING ERRCODE = 'PN061';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER qr_scan_is_spent_once
BEFORE UPDATE OR DELETE ON qr_scans
FOR EACH ROW EXECUTE FUNCTION qr_scan_is_spent_once();

CREATE VIEW audit.qr_code_was_spent_on_a_payment_it_does_not_ask_for AS
SELECT
    code.id AS qr_code_id,
    scan.payment_id,
    code.merchant_id,
    code.mode,
    code.amount,
    code.currency
FROM qr_scans AS scan
INNER JOIN qr_codes AS code ON code.id = scan.qr_code_id
LEFT JOIN transactions AS payment ON payment.id = scan.payment_id
WHERE
    scan.payment_id IS NOT NULL
    AND (
        payment.id IS NULL
        OR payment.qr_code_id IS DISTINCT FROM code.id
        OR payment.merchant_id <> code.merchant_id
        OR payment.mode <> code.mode
        OR payment.currency <> code.currency
        OR payment.amount <> coalesce(code.amount, payment.amount)
    );
COMMENT ON VIEW audit.qr_code_was_spent_on_a_payment_it_does_not_ask_for IS
    'A spent scan whose payment is absent, another merchant''s, of another code or other money.';

CREATE VIEW audit.qr_code_was_spent_after_its_scan_expired AS
SELECT
    qr_code_id,
    payment_id,
    expires_at,
    spent_at
FROM qr_scans
WHERE spent_at >= expires_at;
COMMENT ON VIEW audit.qr_code_was_spent_after_its_scan_expired IS
    'A code whose payment came later than its scan allowed.';

CREATE VIEW audit.qr_code_is_named_by_a_payment_that_did_not_spend_it AS
SELECT
    payment.qr_code_id,
    payment.id AS payment_id
FROM transactions AS payment
LEFT JOIN qr_scans AS scan ON scan.payment_id = payment.id
WHERE payment.qr_code_id IS NOT NULL AND scan.qr_code_id IS DISTINCT FROM payment.qr_code_id;
COMMENT ON VIEW audit.qr_code_is_named_by_a_payment_that_did_not_spend_it IS
    'A payment that names a code of which it spent no scan: two payments for a single code, too.';
