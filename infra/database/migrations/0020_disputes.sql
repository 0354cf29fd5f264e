-- Disputes: captured money that a payer asks back through the acquirer, who takes it at once.

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
    reason TEXT,
    -- Until when the gateway takes evidence.
    respond_by TIMESTAMPTZ,
    gateway TEXT NOT NULL,
    gateway_reference TEXT NOT NULL,
    -- The transfer that holds the cover; none where the payment held nothing any more.
    cover_id UUID,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    -- When the gateway was last asked about it: an open one is asked about each day.
    asked_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT dispute_is_on_record_once UNIQUE (gateway, gateway_reference),
    CONSTRAINT dispute_status_is_known CHECK (status IN ('OPEN', 'WON', 'LOST')),
    CONSTRAINT dispute_covers_no_more_than_it_asks CHECK (covered_amount <= amount),
    CONSTRAINT dispute_holds_what_it_covers CHECK (status <> 'OPEN' OR (cover_id IS NULL) = (covered_amount = 0))
);
CREATE INDEX disputes_of_payment ON disputes (payment_id);
CREATE INDEX disputes_of_merchant ON disputes (merchant_id, mode, id);
CREATE INDEX disputes_open ON disputes (asked_at) WHERE status = 'OPEN';

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
    ELSIF (OLD.id, OLD.payment_id, OLD.merchant_id, OLD.mode, OLD.amount, OLD.currency,
            OLD.gateway, OLD.gateway_reference, OLD.cover_id) IS DISTINCT FROM
        (NEW.id, NEW.payment_id, NEW.merchant_id, NEW.mode, NEW.amount, NEW.currency,
            NEW.gateway, NEW.gateway_reference, NEW.cover_id)
        -- A lost one covers what came free meanwhile, too.
        OR NEW.covered_amount <> OLD.covered_amount
        AND (NEW.covered_amount < OLD.covered_amount OR OLD.status <> 'OPEN' OR NEW.status <> 'LOST')
    THEN
        RAISE EXCEPTION 'what a dispute asks for never changes' USING ERRCODE = 'PN020';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dispute_follows_its_lifecycle BEFORE UPDATE OR DELETE ON disputes
FOR EACH ROW EXECUTE FUNCTION guard_dispute();

-- What disputes take is in the payment's row, under the same lock, before it is in theirs.
CREATE FUNCTION guard_disputed_total() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF (
        SELECT (coalesce(sum(covered_amount), 0), coalesce(sum(amount - covered_amount), 0))
        FROM disputes WHERE payment_id = NEW.payment_id AND status IN ('OPEN', 'LOST')
    ) IS DISTINCT FROM (
        SELECT (disputed_amount::NUMERIC, disputed_excess::NUMERIC) FROM transactions
        WHERE id = NEW.payment_id
    ) THEN
        RAISE EXCEPTION 'disputes of payment % are not what it says of them', NEW.payment_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER disputes_are_in_the_payment
AFTER INSERT OR UPDATE OF status, covered_amount ON disputes
FOR EACH ROW EXECUTE FUNCTION guard_disputed_total();

-- A payment may have several disputes, each of them a person's business of its own.
ALTER TABLE cases ADD COLUMN dispute_id UUID;
ALTER TABLE cases DROP CONSTRAINT a_case_is_opened_once;
ALTER TABLE cases ADD CONSTRAINT a_case_is_opened_once
UNIQUE NULLS NOT DISTINCT (attempt_id, kind, dispute_id);
ALTER TABLE cases DROP CONSTRAINT case_kind_is_known;
ALTER TABLE cases ADD CONSTRAINT case_kind_is_known CHECK (
    kind IN ('unknown_outcome', 'contradiction', 'late_approval_kept', 'dispute_excess')
);

CREATE VIEW audit.disputes_differ_from_the_payment AS
SELECT p.id AS payment_id, p.disputed_amount, p.disputed_excess
FROM transactions AS p
LEFT JOIN disputes AS d ON d.payment_id = p.id AND d.status IN ('OPEN', 'LOST')
GROUP BY p.id, p.disputed_amount, p.disputed_excess
HAVING p.disputed_amount <> coalesce(sum(d.covered_amount), 0)
    OR p.disputed_excess <> coalesce(sum(d.amount - d.covered_amount), 0);

-- By payment: what was taken, given back, borne by the merchant and left unexplained.
CREATE VIEW audit.disputes_differ_from_the_ledger AS
SELECT d.payment_id, d.asked, d.won, d.lost_cover, d.lost_excess, t.*
FROM (
    SELECT payment_id, sum(amount) AS asked,
        coalesce(sum(amount) FILTER (WHERE status = 'WON'), 0) AS won,
        coalesce(sum(covered_amount) FILTER (WHERE status = 'LOST'), 0) AS lost_cover,
        coalesce(sum(amount - covered_amount) FILTER (WHERE status = 'LOST'), 0) AS lost_excess
    FROM disputes GROUP BY payment_id
) AS d
FULL JOIN (
    SELECT transaction_id,
        coalesce(sum(amount) FILTER (WHERE kind = 'dispute'), 0) AS taken,
        coalesce(sum(amount) FILTER (WHERE kind = 'dispute_won'), 0) AS given_back,
        coalesce(sum(amount) FILTER (
            WHERE kind = 'dispute_cover' AND state IN ('single', 'post')
        ), 0) AS borne,
        coalesce(sum(amount) FILTER (WHERE kind = 'dispute_excess'), 0) AS unexplained
    FROM transfers
    WHERE kind IN ('dispute', 'dispute_won', 'dispute_cover', 'dispute_excess')
        AND transaction_id IS NOT NULL
    GROUP BY transaction_id
) AS t ON t.transaction_id = d.payment_id
WHERE (d.asked, d.won, d.lost_cover, d.lost_excess)
    IS DISTINCT FROM (t.taken, t.given_back, t.borne, t.unexplained);

CREATE VIEW audit.dispute_differs_from_its_cover AS
SELECT d.id AS dispute_id, d.status, h.amount AS held, r.state AS resolution
FROM disputes AS d
LEFT JOIN transfers AS h ON h.id = d.cover_id AND h.state = 'pending' AND h.kind = 'dispute_cover'
LEFT JOIN transfers AS r ON r.pending_id = d.cover_id
WHERE (d.cover_id IS NULL) <> (h.id IS NULL)
    OR d.status = 'OPEN' AND (h.amount <> d.covered_amount OR r.state IS NOT NULL)
    OR d.cover_id IS NOT NULL AND d.status = 'WON' AND r.state IS DISTINCT FROM 'void'
    OR d.cover_id IS NOT NULL AND d.status = 'LOST' AND r.state IS DISTINCT FROM 'post';
