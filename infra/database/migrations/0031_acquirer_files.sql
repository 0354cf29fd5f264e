-- What gateways say they took and pay out: their settlement files, line by line, against the ledger.

CREATE FUNCTION public_id(p_prefix TEXT, p_id UUID) RETURNS TEXT
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT p_prefix || '_' || string_agg(
        substr(
            '0123456789abcdefghjkmnpqrstvwxyz',
            substring(b.bits FROM 5 * i + 1 FOR 5)::BIT(5)::INTEGER + 1, 1
        ), '' ORDER BY i
    )
    -- 128 bits are 26 digits of five, two of which the first digit has as zeros.
    FROM (
        SELECT B'00' || ('x' || replace(p_id::TEXT, '-', ''))::BIT(128) AS bits
    ) AS b CROSS JOIN generate_series(0, 25) AS i
$$;
COMMENT ON FUNCTION public_id IS 'The id as merchants see it: prefix_ and 26 base32 digits.';

CREATE FUNCTION gateway_payout_id(p_gateway TEXT, p_mode TEXT, p_reference TEXT) RETURNS UUID
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT encode(substring(sha256(convert_to(
        concat_ws(E'\n', p_gateway, p_mode, p_reference), 'UTF8'
    )) FOR 16), 'hex')::UUID
$$;
COMMENT ON FUNCTION gateway_payout_id IS
    'A payout is known by its name; paynexus/settlement/acquirers/model.py makes the same id.';

-- Content is what counts: the same bytes are taken once, whatever name they come under.
CREATE TABLE gateway_files (
    gateway TEXT NOT NULL,
    sha256 BYTEA NOT NULL
        CONSTRAINT gateway_file_hash_is_sha256 CHECK (length(sha256) = 32),
    name TEXT NOT NULL,
    format TEXT NOT NULL,
    lines INTEGER NOT NULL
        CONSTRAINT gateway_file_has_a_count_of_lines CHECK (lines >= 0),
    -- The day that it says in its name it is of; none for a report of several.
    day DATE,
    -- The days of which it tells: nothing that was booked on them is missing any more but by fault.
    covers_from DATE,
    covers_to DATE,
    processed_at TIMESTAMPTZ NOT NULL,
    -- When the ledger was looked through for what these days lack.
    looked_through_at TIMESTAMPTZ,
    CONSTRAINT gateway_file_is_processed_once PRIMARY KEY (gateway, sha256),
    CONSTRAINT gateway_file_covers_a_range_of_days CHECK (
        (covers_from IS NULL) = (covers_to IS NULL) AND coalesce(covers_from <= covers_to, TRUE)
    )
);
CREATE INDEX gateway_files_to_look_through ON gateway_files (covers_to)
WHERE looked_through_at IS NULL;

CREATE FUNCTION gateway_file_is_looked_through_once() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.looked_through_at IS NOT NULL
        OR (OLD.gateway, OLD.sha256, OLD.name, OLD.format, OLD.lines, OLD.day, OLD.covers_from,
            OLD.covers_to, OLD.processed_at)
        IS DISTINCT FROM
        (NEW.gateway, NEW.sha256, NEW.name, NEW.format, NEW.lines, NEW.day, NEW.covers_from,
            NEW.covers_to, NEW.processed_at) THEN
        RAISE EXCEPTION 'gateway_files rows are never changed or deleted' USING ERRCODE = 'PN020';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER gateway_files_are_never_rewritten BEFORE UPDATE OR DELETE ON gateway_files
FOR EACH ROW EXECUTE FUNCTION gateway_file_is_looked_through_once();

-- No foreign keys: a file has up to a million lines. The audit asks instead.
CREATE TABLE gateway_lines (
    gateway TEXT NOT NULL,
    file_sha256 BYTEA NOT NULL,
    position INTEGER NOT NULL,
    -- The gateway's own name of the line: the same line in another file is a repetition.
    line_id TEXT NOT NULL,
    -- Ours where the line tells it or it is found by theirs; else theirs.
    reference TEXT NOT NULL,
    gateway_reference TEXT,
    operation TEXT NOT NULL,
    mode payment_mode NOT NULL,
    currency CHAR(3) NOT NULL,
    gross BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    net BIGINT NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    payout_reference TEXT,
    -- When the gateway says that its payout arrives.
    payout_on DATE,
    -- Whether it counts in its payout: a repetition does only if the first named no payout.
    is_counted BOOLEAN NOT NULL,
    attempt_id UUID,
    payment_id UUID,
    transfer_id UUID,
    verdict TEXT NOT NULL,
    PRIMARY KEY (gateway, file_sha256, position),
    CONSTRAINT net_is_gross_less_fee CHECK (net = gross - fee),
    CONSTRAINT only_a_line_of_a_payout_counts_in_it CHECK (
        NOT is_counted OR payout_reference IS NOT NULL
    ),
    CONSTRAINT gateway_line_verdict_is_known CHECK (verdict IN (
        'matched', 'amount', 'fee', 'currency', 'duplicate', 'extra', 'timing',
        'waiting', 'offset', 'cost', 'payout', 'repeated'
    )),
    CONSTRAINT matched_gateway_line_names_its_transfer CHECK (
        verdict NOT IN ('matched', 'fee', 'timing') OR transfer_id IS NOT NULL
    )
);
CREATE INDEX gateway_lines_by_reference ON gateway_lines (gateway, reference, operation);
CREATE INDEX gateway_lines_by_line_id ON gateway_lines (gateway, line_id);
CREATE INDEX gateway_lines_of_a_payout ON gateway_lines (gateway, payout_reference)
WHERE is_counted;
CREATE INDEX gateway_lines_of_a_transfer ON gateway_lines (transfer_id)
WHERE transfer_id IS NOT NULL;
CREATE INDEX gateway_lines_open ON gateway_lines (gateway)
WHERE verdict IN ('waiting', 'extra');

COMMENT ON COLUMN gateway_lines.verdict IS
    'matched: the transfer it names says the same. amount, fee, currency, duplicate, extra, '
    'timing: a break of that type. waiting: about an operation of ours whose end is not booked '
    'yet. offset: it and another line undo each other, and the books know of neither. cost: a '
    'charge of the gateway itself. payout: the payout itself. repeated: another file has it.';

CREATE FUNCTION gateway_line_is_explained_once() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.verdict NOT IN ('waiting', 'extra')
        OR (OLD.gateway, OLD.file_sha256, OLD.position, OLD.line_id, OLD.reference,
            OLD.gateway_reference, OLD.operation, OLD.mode, OLD.currency, OLD.gross, OLD.fee,
            OLD.net, OLD.occurred_at, OLD.payout_reference, OLD.payout_on, OLD.is_counted)
        IS DISTINCT FROM
        (NEW.gateway, NEW.file_sha256, NEW.position, NEW.line_id, NEW.reference,
            NEW.gateway_reference, NEW.operation, NEW.mode, NEW.currency, NEW.gross, NEW.fee,
            NEW.net, NEW.occurred_at, NEW.payout_reference, NEW.payout_on, NEW.is_counted) THEN
        RAISE EXCEPTION 'what a gateway said is never changed, and is explained once'
            USING ERRCODE = 'PN020';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER gateway_lines_are_never_rewritten BEFORE UPDATE OR DELETE ON gateway_lines
FOR EACH ROW EXECUTE FUNCTION gateway_line_is_explained_once();

-- What a gateway pays out by one transfer to our bank account: many lines, one arrival.
CREATE TABLE gateway_payouts (
    gateway TEXT NOT NULL,
    mode payment_mode NOT NULL,
    currency CHAR(3) NOT NULL,
    reference TEXT NOT NULL,
    -- As a bank's text may hold it: letters and digits alone.
    reference_key TEXT NOT NULL GENERATED ALWAYS AS (
        upper(regexp_replace(reference, '[^A-Za-z0-9]', '', 'g'))
    ) STORED,
    -- Negative: what the gateway collects.
    amount BIGINT NOT NULL,
    expected_on DATE NOT NULL,
    lines INTEGER NOT NULL,
    arrived_at TIMESTAMPTZ,
    arrived_amount BIGINT,
    -- The bank's line by which it arrived.
    file_sha256 BYTEA,
    position INTEGER,
    CONSTRAINT gateway_payout_has_one_reference PRIMARY KEY (gateway, mode, reference),
    CONSTRAINT gateway_payout_arrives_by_a_bank_line CHECK (
        (arrived_at IS NULL) = (arrived_amount IS NULL)
        AND (arrived_at IS NULL) = (file_sha256 IS NULL)
        AND (arrived_at IS NULL) = (position IS NULL)
    )
);
CREATE INDEX gateway_payouts_by_key ON gateway_payouts (reference_key);
CREATE INDEX gateway_payouts_open ON gateway_payouts (expected_on)
WHERE arrived_at IS NULL AND amount <> 0;

CREATE FUNCTION gateway_payout_arrives_once() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
        OR (OLD.gateway, OLD.mode, OLD.currency, OLD.reference)
        IS DISTINCT FROM (NEW.gateway, NEW.mode, NEW.currency, NEW.reference)
        OR OLD.arrived_at IS NOT NULL
        AND (OLD.arrived_at, OLD.file_sha256, OLD.position)
        IS DISTINCT FROM (NEW.arrived_at, NEW.file_sha256, NEW.position) THEN
        RAISE EXCEPTION 'a gateway''s payout arrives once, and keeps its name'
            USING ERRCODE = 'PN020';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER gateway_payouts_are_never_rewritten BEFORE UPDATE OR DELETE ON gateway_payouts
FOR EACH ROW EXECUTE FUNCTION gateway_payout_arrives_once();

-- What was agreed with a gateway; without a row its fees are booked as they come.
CREATE TABLE gateway_fees (
    gateway TEXT NOT NULL,
    currency CHAR(3) NOT NULL,
    basis_points INTEGER NOT NULL,
    fixed_minor BIGINT NOT NULL,
    tolerance_minor BIGINT NOT NULL DEFAULT 1,
    PRIMARY KEY (gateway, currency),
    CONSTRAINT gateway_fee_is_a_share CHECK (basis_points BETWEEN 0 AND 10000),
    CONSTRAINT gateway_fee_is_not_negative CHECK (fixed_minor >= 0 AND tolerance_minor >= 0)
);

-- A transfer on gateway_receivable as the gateway sees it: positive is money it owes us.
CREATE FUNCTION gateway_movement(p_kind transfer_kind, p_amount BIGINT) RETURNS BIGINT
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN p_kind IN ('refund', 'dispute', 'reversal') THEN -p_amount ELSE p_amount END
$$;

CREATE VIEW audit.gateway_line_has_no_file AS
SELECT l.gateway, l.file_sha256, count(*) AS lines, f.lines AS counted
FROM gateway_lines AS l
LEFT JOIN gateway_files AS f ON f.gateway = l.gateway AND f.sha256 = l.file_sha256
GROUP BY l.gateway, l.file_sha256, f.lines
HAVING f.lines IS DISTINCT FROM count(*);

-- A charge and what of it was given up at once are two lines of one transfer.
CREATE VIEW audit.matched_gateway_lines_differ_from_their_transfer AS
SELECT l.transfer_id, sum(l.gross) AS said, min(t.kind::TEXT) AS kind, min(t.amount) AS booked
FROM gateway_lines AS l
LEFT JOIN transfers AS t ON t.id = l.transfer_id
WHERE l.transfer_id IS NOT NULL
GROUP BY l.transfer_id
HAVING bool_and(l.verdict IN ('matched', 'fee', 'timing')) AND (
    sum(l.gross) IS DISTINCT FROM gateway_movement(min(t.kind), min(t.amount))
    OR min(l.currency) <> min(t.currency) OR min(l.mode::TEXT) <> min(t.mode)
);

CREATE VIEW audit.transfer_is_matched_by_two_gateway_lines AS
SELECT transfer_id, count(*) AS lines
FROM gateway_lines
WHERE transfer_id IS NOT NULL AND operation <> 'release'
GROUP BY transfer_id HAVING count(*) > 1;

CREATE VIEW audit.gateway_payout_is_not_the_sum_of_its_lines AS
SELECT p.gateway, p.reference, p.amount, p.lines, l.net, l.lines AS counted
FROM gateway_payouts AS p
FULL JOIN (
    SELECT gateway, mode, currency, payout_reference, sum(net) AS net, count(*) AS lines
    FROM gateway_lines WHERE is_counted GROUP BY gateway, mode, currency, payout_reference
) AS l ON (l.gateway, l.mode, l.currency, l.payout_reference)
    = (p.gateway, p.mode, p.currency, p.reference)
-- An acquirer that pays each payment by itself tells of no lines.
WHERE p.lines IS DISTINCT FROM 0 AND (p.amount, p.lines) IS DISTINCT FROM (l.net, l.lines);

CREATE VIEW audit.gateway_payout_differs_from_the_ledger AS
SELECT p.gateway, p.reference, p.arrived_amount, coalesce(t.booked, 0) AS booked
FROM (
    SELECT gateway, reference, arrived_amount,
        public_id('gpo', gateway_payout_id(gateway, mode, reference)) AS object_id
    FROM gateway_payouts
) AS p
LEFT JOIN (
    SELECT
        t.object_id,
        sum(CASE WHEN a.type = 'gateway_receivable' THEN t.amount ELSE -t.amount END) AS booked
    FROM transfers AS t
    INNER JOIN accounts AS a ON a.id = t.credit_account_id
    WHERE t.kind = 'gateway_payout' GROUP BY t.object_id
) AS t ON t.object_id = p.object_id
WHERE coalesce(p.arrived_amount, 0) <> coalesce(t.booked, 0);

CREATE VIEW audit.gateway_fees_differ_from_the_ledger AS
SELECT p.gateway, p.payout_reference, p.cost, coalesce(t.booked, 0) AS booked
FROM (
    SELECT
        gateway, mode, payout_reference,
        public_id('gpo', gateway_payout_id(gateway, mode, payout_reference)) AS object_id,
        sum(CASE WHEN operation = 'cost' THEN -net ELSE fee END) AS cost
    FROM gateway_lines WHERE is_counted
    GROUP BY gateway, mode, payout_reference
) AS p
LEFT JOIN (
    SELECT
        t.object_id,
        sum(CASE WHEN a.type = 'gateway_receivable' THEN t.amount ELSE -t.amount END) AS booked
    FROM transfers AS t
    INNER JOIN accounts AS a ON a.id = t.credit_account_id
    WHERE t.kind = 'gateway_cost' GROUP BY t.object_id
) AS t ON t.object_id = p.object_id
WHERE p.cost <> coalesce(t.booked, 0);
