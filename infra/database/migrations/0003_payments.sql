-- Payments, their calls to gateways, refunds, and the keys that make each happen once.

-- Types, domains and the row's trigger instead of checks, as in 0002_ledger.sql.
CREATE DOMAIN payment_mode AS TEXT CONSTRAINT mode_is_test_or_live CHECK (VALUE IN ('test', 'live'));
CREATE TYPE payment_status AS ENUM (
    'PENDING', 'CHALLENGED', 'AUTHORIZED', 'UNKNOWN', 'COMPLETED', 'FAILED', 'CANCELED'
);
CREATE TYPE payment_capture AS ENUM ('automatic', 'manual');
CREATE TYPE payment_challenge AS ENUM ('none', 'required', 'authenticated', 'failed');
CREATE TYPE payment_operation AS ENUM ('capture', 'cancel', 'confirm', 'expiry');

CREATE TABLE transactions (
    id UUID PRIMARY KEY,
    merchant_id UUID NOT NULL,
    amount positive NOT NULL,
    currency CHAR(3) NOT NULL,
    status payment_status NOT NULL,
    gateway_response JSONB,
    idempotency_key TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now(),
    mode payment_mode NOT NULL,
    capture payment_capture NOT NULL,
    captured_amount total NOT NULL DEFAULT 0,
    captures SMALLINT NOT NULL DEFAULT 0,
    refunded_amount total NOT NULL DEFAULT 0,
    refunding_amount total NOT NULL DEFAULT 0,
    -- Of disputes that are open or lost: what the payment covers, and what they took beyond it.
    disputed_amount total NOT NULL DEFAULT 0,
    disputed_excess total NOT NULL DEFAULT 0,
    fee_amount BIGINT NOT NULL DEFAULT 0,
    fee_basis_points INTEGER NOT NULL DEFAULT 0,
    fee_fixed_minor BIGINT NOT NULL DEFAULT 0,
    payment_method TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    reference TEXT,
    description TEXT,
    metadata JSONB NOT NULL DEFAULT '{}',
    qr_code_id UUID,
    challenge payment_challenge NOT NULL DEFAULT 'none',
    failure_code TEXT,
    failure_message TEXT,
    transfer_id UUID NOT NULL,
    -- The capture, cancel, confirm or expiry that is under way: at most one at a time.
    open_operation payment_operation,
    open_operation_id UUID,
    open_operation_amount BIGINT,
    open_operation_is_final BOOLEAN,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- One more with each change: who decided by an older one has to decide again.
    version INTEGER NOT NULL DEFAULT 1
) PARTITION BY RANGE (id);
CREATE TABLE transactions_default PARTITION OF transactions DEFAULT;
-- None of them on what changes: a change then leaves every index as it is (a HOT update).
CREATE INDEX transactions_of_merchant ON transactions (merchant_id, mode, id);
CREATE INDEX transactions_by_reference ON transactions (merchant_id, mode, reference, id)
WHERE reference IS NOT NULL;

-- The lifecycle; paynexus/payments/model.py holds the same table, and a contract test
-- compares the two.
CREATE FUNCTION payment_may_become(p_old payment_status, p_new payment_status) RETURNS BOOLEAN
-- Not STRICT: only so does the trigger have it in place, instead of calling it.
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_old
        WHEN 'PENDING' THEN p_new IN
            ('CHALLENGED', 'AUTHORIZED', 'UNKNOWN', 'COMPLETED', 'FAILED', 'CANCELED')
        WHEN 'CHALLENGED' THEN p_new IN ('PENDING', 'FAILED', 'CANCELED')
        WHEN 'UNKNOWN' THEN p_new IN
            ('UNKNOWN', 'AUTHORIZED', 'COMPLETED', 'FAILED', 'CANCELED')
        WHEN 'AUTHORIZED' THEN p_new IN ('AUTHORIZED', 'COMPLETED', 'CANCELED')
        ELSE FALSE
    END
$$;

-- The one rule of a payment's amounts, whoever writes them and in whatever order: nothing is
-- taken beyond what was agreed to, nothing returned beyond what was taken. Whatever gives money
-- back, in whole or for the time being, is added up here and nowhere else.
CREATE FUNCTION payment_is_covered(
    p_status payment_status, p_amount BIGINT, p_captured BIGINT, p_refunded BIGINT,
    p_refunding BIGINT, p_disputed BIGINT
) RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_refunded + p_refunding + p_disputed <= p_captured AND p_captured <= p_amount
        AND CASE p_status
            WHEN 'COMPLETED' THEN p_captured > 0
            WHEN 'AUTHORIZED' THEN p_captured < p_amount
            ELSE p_captured = 0
        END
$$;

CREATE FUNCTION guard_payment() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'payments are never deleted' USING ERRCODE = 'PN020';
    END IF;
    IF OLD.status <> NEW.status AND NOT payment_may_become(OLD.status, NEW.status) THEN
        RAISE EXCEPTION 'a % payment can not become %', OLD.status, NEW.status
            USING ERRCODE = 'PN010';
    ELSIF (OLD.id, OLD.merchant_id, OLD.mode, OLD.amount, OLD.currency, OLD.transfer_id)
        IS DISTINCT FROM
        (NEW.id, NEW.merchant_id, NEW.mode, NEW.amount, NEW.currency, NEW.transfer_id) THEN
        RAISE EXCEPTION 'what was asked for in a payment never changes' USING ERRCODE = 'PN020';
    ELSIF NOT payment_is_covered(
            NEW.status, NEW.amount, NEW.captured_amount, NEW.refunded_amount,
            NEW.refunding_amount, NEW.disputed_amount
        ) OR NEW.captured_amount < OLD.captured_amount
        OR NEW.refunded_amount < OLD.refunded_amount
        -- A refund begins only with what no dispute has taken, covered or not.
        OR NEW.refunded_amount + NEW.refunding_amount > OLD.refunded_amount + OLD.refunding_amount
        AND NEW.refunded_amount + NEW.refunding_amount + NEW.disputed_amount + NEW.disputed_excess
        > NEW.captured_amount
        OR NEW.captured_amount > OLD.captured_amount AND NEW.captures <> OLD.captures + 1
        OR (NEW.open_operation IS NULL) <> (NEW.open_operation_id IS NULL) THEN
        RAISE EXCEPTION 'payment % would contradict itself', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER payment_follows_its_lifecycle BEFORE UPDATE OR DELETE ON transactions
FOR EACH ROW EXECUTE FUNCTION guard_payment();
CREATE TRIGGER payments_are_not_truncated BEFORE TRUNCATE ON transactions
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

SELECT guard_partition('transactions', 'transactions_default');
SELECT make_partitions('transactions', (now() AT TIME ZONE 'UTC')::DATE, 4);

-- Personal data lives apart from the books, so that it can be erased without them.
CREATE TABLE payment_customers (
    payment_id UUID PRIMARY KEY,
    customer_id TEXT,
    email TEXT,
    country CHAR(2),
    name TEXT,
    ip INET,
    -- The card number's first six or eight digits, which tell its issuer.
    card_bin TEXT
);

CREATE TABLE attempts (
    id UUID PRIMARY KEY,
    payment_id UUID NOT NULL,
    operation TEXT NOT NULL,
    operation_id UUID NOT NULL,
    number INTEGER NOT NULL,
    gateway TEXT NOT NULL,
    reference TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency CHAR(3) NOT NULL,
    -- How many calls were begun under the reference, by whomever.
    calls INTEGER NOT NULL DEFAULT 1,
    outcome TEXT,
    gateway_reference TEXT,
    code TEXT,
    message TEXT,
    response JSONB,
    created_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,
    CONSTRAINT one_attempt_per_number UNIQUE (operation_id, number),
    CONSTRAINT reference_is_ours_once UNIQUE (reference),
    CONSTRAINT operation_is_known CHECK (operation IN ('charge', 'capture', 'cancel', 'refund')),
    CONSTRAINT outcome_is_known CHECK (outcome IN ('APPROVED', 'DECLINED', 'NOT_SENT', 'UNKNOWN')),
    -- A call that never left says nothing of another one under the same reference.
    CONSTRAINT not_sent_is_said_of_an_only_call CHECK (outcome <> 'NOT_SENT' OR calls = 1),
    CONSTRAINT outcome_has_a_time CHECK ((outcome IS NULL) = (finished_at IS NULL))
);
CREATE INDEX attempts_of_payment ON attempts (payment_id);

-- No outcome yet is RUNNING in the table of paynexus/payments/model.py.
CREATE FUNCTION attempt_may_become(p_old TEXT, p_new TEXT) RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE coalesce(p_old, 'RUNNING')
        WHEN 'RUNNING' THEN p_new IN ('APPROVED', 'DECLINED', 'NOT_SENT', 'UNKNOWN') IS TRUE
        WHEN 'UNKNOWN' THEN p_new IN ('UNKNOWN', 'APPROVED', 'DECLINED') IS TRUE
        ELSE FALSE
    END
$$;

CREATE FUNCTION guard_attempt() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.outcome IS DISTINCT FROM NEW.outcome
        AND NOT attempt_may_become(OLD.outcome, NEW.outcome) THEN
        RAISE EXCEPTION 'attempt % is % and can not become %', OLD.id,
            coalesce(OLD.outcome, 'RUNNING'), coalesce(NEW.outcome, 'RUNNING')
            USING ERRCODE = 'PN010';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER known_outcome_never_changes BEFORE UPDATE ON attempts
FOR EACH ROW EXECUTE FUNCTION guard_attempt();

CREATE TABLE refunds (
    id UUID PRIMARY KEY,
    payment_id UUID NOT NULL,
    merchant_id UUID NOT NULL,
    mode TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency CHAR(3) NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    transfer_id UUID NOT NULL,
    failure_code TEXT,
    failure_message TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT refund_amount_is_positive CHECK (amount > 0),
    CONSTRAINT refund_status_is_known CHECK (status IN ('PENDING', 'UNKNOWN', 'COMPLETED', 'FAILED'))
);
CREATE INDEX refunds_of_payment ON refunds (payment_id);
CREATE INDEX refunds_not_final ON refunds (updated_at) WHERE status IN ('PENDING', 'UNKNOWN');

CREATE FUNCTION refund_may_become(p_old TEXT, p_new TEXT) RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_old IN ('PENDING', 'UNKNOWN') THEN p_new IN ('UNKNOWN', 'COMPLETED', 'FAILED')
        ELSE FALSE
    END
$$;

CREATE FUNCTION guard_refund() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> NEW.status AND NOT refund_may_become(OLD.status, NEW.status) THEN
        RAISE EXCEPTION 'a % refund can not become %', OLD.status, NEW.status
            USING ERRCODE = 'PN010';
    ELSIF (OLD.id, OLD.payment_id, OLD.amount, OLD.currency, OLD.transfer_id) IS DISTINCT FROM
        (NEW.id, NEW.payment_id, NEW.amount, NEW.currency, NEW.transfer_id) THEN
        RAISE EXCEPTION 'what was asked for in a refund never changes' USING ERRCODE = 'PN020';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER refund_follows_its_lifecycle BEFORE UPDATE ON refunds
FOR EACH ROW EXECUTE FUNCTION guard_refund();

-- What is on its way back is reserved in the payment's row, in the same statement's lock: a
-- refund that nobody reserved for, or for less, is refused whichever way it is written.
CREATE FUNCTION guard_refunded_total() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    returned BIGINT;
    reserved BIGINT;
BEGIN
    SELECT coalesce(sum(amount), 0) INTO returned FROM refunds
    WHERE payment_id = NEW.payment_id AND status <> 'FAILED';
    SELECT refunded_amount + refunding_amount INTO reserved FROM transactions
    WHERE id = NEW.payment_id;
    IF returned > coalesce(reserved, 0) THEN
        RAISE EXCEPTION 'refunds of payment % are more than it holds for them', NEW.payment_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER refunds_are_reserved AFTER INSERT OR UPDATE OF status, amount ON refunds
FOR EACH ROW EXECUTE FUNCTION guard_refunded_total();

-- One key, one effect. The row is claimed in the transaction that creates the object it
-- stands for; the answer is stored in the transaction that decides it.
-- The length by itself: a counted repetition costs ten times as much.
CREATE DOMAIN printable_key AS TEXT CONSTRAINT key_is_printable_ascii
CHECK (octet_length(VALUE) BETWEEN 1 AND 255 AND VALUE !~ '[^\x20-\x7e]');
CREATE TABLE idempotency_keys (
    merchant_id UUID NOT NULL,
    mode TEXT NOT NULL,
    operation TEXT NOT NULL,
    key printable_key NOT NULL,
    fingerprint BYTEA NOT NULL,
    object_id UUID NOT NULL,
    running_until TIMESTAMPTZ NOT NULL,
    status INTEGER,
    headers JSONB,
    body TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (merchant_id, mode, operation, key),
    CONSTRAINT one_key_per_object UNIQUE (object_id)
    -- The answer comes later and is longer than the rest: most of each page is kept for it.
) WITH (fillfactor = 40);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys USING brin (expires_at)
WITH (autosummarize = on);

CREATE FUNCTION claim_key(
    p_merchant_id UUID, p_mode TEXT, p_operation TEXT, p_key TEXT, p_fingerprint BYTEA,
    p_object_id UUID, p_now TIMESTAMPTZ, p_running_until TIMESTAMPTZ, p_expires_at TIMESTAMPTZ,
    OUT state TEXT, OUT object_id UUID, OUT status INTEGER, OUT headers JSONB, OUT body TEXT
)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    present idempotency_keys;
BEGIN
    LOOP
        INSERT INTO idempotency_keys (
            merchant_id, mode, operation, key, fingerprint, object_id, running_until, created_at,
            expires_at
        ) VALUES (
            p_merchant_id, p_mode, p_operation, p_key, p_fingerprint, p_object_id,
            p_running_until, p_now, p_expires_at
        ) ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING;
        IF FOUND THEN
            state := 'claimed';
            object_id := p_object_id;
            RETURN;
        END IF;
        -- The first caller has committed by now: its insert held the key until then.
        SELECT * INTO present FROM idempotency_keys AS k
        WHERE k.merchant_id = p_merchant_id AND k.mode = p_mode AND k.operation = p_operation
            AND k.key = p_key
        FOR UPDATE;
        -- Not found: the key had expired and was dropped in between.
        EXIT WHEN FOUND;
    END LOOP;
    IF present.finished_at IS NOT NULL AND present.expires_at <= p_now THEN
        UPDATE idempotency_keys AS k
        SET fingerprint = p_fingerprint, object_id = p_object_id,
            running_until = p_running_until, created_at = p_now, expires_at = p_expires_at,
            status = NULL, headers = NULL, body = NULL, finished_at = NULL
        WHERE k.merchant_id = p_merchant_id AND k.mode = p_mode AND k.operation = p_operation
            AND k.key = p_key;
        state := 'claimed';
        object_id := p_object_id;
        RETURN;
    END IF;
    object_id := present.object_id;
    IF present.fingerprint <> p_fingerprint THEN
        state := 'reused';
        -- So that the caller is told what became of the first.
        status := present.status;
        body := present.body;
    ELSIF present.finished_at IS NOT NULL THEN
        state := 'finished';
        status := present.status;
        headers := present.headers;
        body := present.body;
    ELSIF present.running_until > p_now THEN
        state := 'running';
    ELSE
        UPDATE idempotency_keys AS k SET running_until = p_running_until
        WHERE k.merchant_id = p_merchant_id AND k.mode = p_mode AND k.operation = p_operation
            AND k.key = p_key;
        state := 'resumed';
    END IF;
END
$$;
COMMENT ON FUNCTION claim_key IS
    'claimed: go ahead as the first, also where an answer of that key has expired. resumed: the first died; finish its object. running: it '
    'is still at work. finished: here is its answer. reused: the request differs.';

CREATE VIEW audit.payment_status_differs_from_its_transfer AS
SELECT p.id AS payment_id, p.status, r.state AS resolution
FROM transactions AS p
-- The last of its parts, which ends it.
LEFT JOIN transfers AS r ON r.pending_id = p.transfer_id AND r.is_final
WHERE (p.status IN ('COMPLETED', 'FAILED', 'CANCELED')) <> (r.id IS NOT NULL)
    OR (p.captured_amount = 0 AND r.state = 'post')
    OR (p.status IN ('FAILED', 'CANCELED') AND r.state <> 'void')
    OR r.state = 'expire';

CREATE VIEW audit.payment_has_no_pending_transfer AS
SELECT p.id AS payment_id
FROM transactions AS p
WHERE NOT EXISTS (
    SELECT FROM transfers AS t
    WHERE t.id = p.transfer_id AND t.state = 'pending' AND t.amount = p.amount
        AND t.currency = p.currency
);

CREATE VIEW audit.captured_amount_differs_from_the_ledger AS
SELECT p.id AS payment_id, p.captured_amount, coalesce(sum(t.amount), 0) AS posted
FROM transactions AS p
LEFT JOIN transfers AS t ON t.pending_id = p.transfer_id AND t.state = 'post'
GROUP BY p.id, p.captured_amount, p.captures
HAVING p.captured_amount <> coalesce(sum(t.amount), 0) OR p.captures <> count(t.id);

CREATE VIEW audit.completed_payment_has_no_approved_charge AS
SELECT p.id AS payment_id
FROM transactions AS p
WHERE p.status IN ('COMPLETED', 'AUTHORIZED') AND NOT EXISTS (
    SELECT FROM attempts AS a
    WHERE a.payment_id = p.id AND a.operation = 'charge' AND a.outcome = 'APPROVED'
);

CREATE VIEW audit.payment_was_charged_twice AS
SELECT payment_id, count(*) AS charges
FROM attempts WHERE operation = 'charge' AND outcome = 'APPROVED'
GROUP BY payment_id HAVING count(*) > 1;

CREATE VIEW audit.fee_differs_from_the_ledger AS
SELECT p.id AS payment_id, p.fee_amount, coalesce(sum(t.amount), 0) AS booked
FROM transactions AS p
LEFT JOIN transfers AS t ON t.transaction_id = p.id AND t.kind = 'fee'
GROUP BY p.id, p.fee_amount
HAVING p.fee_amount <> coalesce(sum(t.amount), 0);

CREATE VIEW audit.refunds_differ_from_the_payment AS
SELECT p.id AS payment_id, p.refunded_amount, p.refunding_amount
FROM transactions AS p
LEFT JOIN refunds AS r ON r.payment_id = p.id
GROUP BY p.id, p.refunded_amount, p.refunding_amount
HAVING p.refunded_amount <> coalesce(sum(r.amount) FILTER (WHERE r.status = 'COMPLETED'), 0)
    OR p.refunding_amount
    <> coalesce(sum(r.amount) FILTER (WHERE r.status IN ('PENDING', 'UNKNOWN')), 0);

CREATE VIEW audit.refund_differs_from_its_transfer AS
SELECT r.id AS refund_id, r.status, t.state AS resolution
FROM refunds AS r
LEFT JOIN transfers AS t ON t.pending_id = r.transfer_id
WHERE (r.status = 'COMPLETED') <> (t.state IS NOT DISTINCT FROM 'post')
    OR (r.status = 'FAILED') <> (t.state IS NOT DISTINCT FROM 'void');

CREATE VIEW audit.final_payment_has_no_stored_answer AS
SELECT p.id AS payment_id, p.status
FROM transactions AS p
INNER JOIN idempotency_keys AS k ON k.object_id = p.id
WHERE p.status IN ('COMPLETED', 'FAILED', 'AUTHORIZED') AND k.finished_at IS NULL;

CREATE VIEW audit.answer_is_not_whole AS
SELECT object_id FROM idempotency_keys
WHERE (finished_at IS NULL) <> (status IS NULL) OR (status IS NULL) <> (body IS NULL)
    OR (body IS NULL) <> (headers IS NULL);

-- Changes are refused by the row's trigger; a new payment has none of this.
CREATE VIEW audit.payment_contradicts_itself AS
SELECT id AS payment_id FROM transactions
WHERE NOT payment_is_covered(
        status, amount, captured_amount, refunded_amount, refunding_amount, disputed_amount
    ) OR (open_operation IS NULL) <> (open_operation_id IS NULL);

CREATE VIEW audit.payment_has_no_merchant AS
SELECT p.id AS payment_id, p.merchant_id FROM transactions AS p
WHERE NOT EXISTS (SELECT FROM merchants AS m WHERE m.id = p.merchant_id);

CREATE VIEW audit.row_waits_in_the_default_partition AS
SELECT 'transactions' AS name, id::TEXT AS id FROM transactions_default
UNION ALL
SELECT 'ledger_entries', id::TEXT FROM ledger_entries_default;
