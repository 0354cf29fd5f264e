-- Settlement: what merchants are paid, what makes it up, and everything a bank said about it.

-- The accounts that pay merchants, one per mode and currency.
CREATE TABLE house_accounts (
    mode TEXT NOT NULL
        CONSTRAINT house_account_mode_is_known CHECK (mode IN ('test', 'live')),
    currency CHAR(3) NOT NULL,
    holder TEXT NOT NULL,
    iban TEXT NOT NULL,
    bic TEXT NOT NULL,
    PRIMARY KEY (mode, currency)
);

-- Test mode pays from an account that every sandbox bank holds from its start.
INSERT INTO house_accounts (mode, currency, holder, iban, bic)
VALUES ('test', 'EUR', 'PayNexus', 'NL41MOCK0000000001', 'MOCKNL2A');

CREATE TABLE settlements (
    id UUID PRIMARY KEY,
    merchant_id UUID NOT NULL REFERENCES merchants (id),
    amount BIGINT NOT NULL
        CONSTRAINT settlement_pays_a_positive_amount CHECK (amount > 0),
    status TEXT NOT NULL
        CONSTRAINT settlement_status_is_known
        CHECK (status IN ('PENDING', 'INSTRUCTED', 'ACCEPTED', 'PAID', 'FAILED')),
    processed_at TIMESTAMP WITH TIME ZONE,
    currency CHAR(3) NOT NULL,
    mode TEXT NOT NULL
        CONSTRAINT settlement_mode_is_known CHECK (mode IN ('test', 'live')),
    cutoff TIMESTAMP WITH TIME ZONE NOT NULL,
    message_id TEXT NOT NULL
        CONSTRAINT settlement_has_a_file_of_its_own UNIQUE,
    end_to_end_id TEXT NOT NULL
        CONSTRAINT settlement_has_a_reference_of_its_own UNIQUE,
    -- Both bank accounts and the execution date as they were: the file can be written again alike.
    instruction JSONB NOT NULL,
    failure_code TEXT,
    -- The bookings: payout when it is made; payout_paid or payout_returned when it is final.
    payout_id UUID NOT NULL UNIQUE,
    closing_id UUID UNIQUE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT one_settlement_a_merchant_currency_mode_and_cutoff
    UNIQUE (merchant_id, currency, mode, cutoff),
    CONSTRAINT a_final_settlement_has_its_time_and_booking
    CHECK ((status IN ('PAID', 'FAILED')) = (processed_at IS NOT NULL)
        AND (status IN ('PAID', 'FAILED')) = (closing_id IS NOT NULL)),
    CONSTRAINT only_a_failed_settlement_has_a_failure_code
    CHECK (failure_code IS NULL OR status = 'FAILED')
);

CREATE INDEX settlements_of_a_merchant ON settlements (merchant_id, mode, id);
CREATE INDEX settlements_not_yet_instructed ON settlements (id) WHERE status = 'PENDING';

CREATE FUNCTION settlement_status_moves_along_the_table() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'PENDING' THEN
            RAISE EXCEPTION 'a settlement starts PENDING, not %', NEW.status
                USING ERRCODE = 'PN010';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.merchant_id, NEW.amount, NEW.currency, NEW.mode, NEW.cutoff, NEW.message_id,
        NEW.end_to_end_id, NEW.instruction, NEW.payout_id, NEW.created_at)
        IS DISTINCT FROM
        (OLD.id, OLD.merchant_id, OLD.amount, OLD.currency, OLD.mode, OLD.cutoff, OLD.message_id,
        OLD.end_to_end_id, OLD.instruction, OLD.payout_id, OLD.created_at) THEN
        RAISE EXCEPTION 'a settlement changes its status only' USING ERRCODE = 'PN010';
    END IF;
    IF (OLD.status, NEW.status) NOT IN (
        ('PENDING', 'INSTRUCTED'),
        ('INSTRUCTED', 'ACCEPTED'), ('INSTRUCTED', 'PAID'), ('INSTRUCTED', 'FAILED'),
        ('ACCEPTED', 'PAID'), ('ACCEPTED', 'FAILED')) THEN
        RAISE EXCEPTION 'a settlement does not move from % to %', OLD.status, NEW.status
            USING ERRCODE = 'PN010';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER settlement_status_moves_along_the_table
BEFORE INSERT OR UPDATE ON settlements
FOR EACH ROW EXECUTE FUNCTION settlement_status_moves_along_the_table();

CREATE TRIGGER settlements_are_never_deleted
BEFORE DELETE ON settlements
FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The ledger entries that a settlement pays out. The primary key is the promise that no entry
-- is ever paid twice; positive amounts are owed to the merchant.
CREATE TABLE settlement_lines (
    entry_id BIGINT CONSTRAINT entry_is_settled_at_most_once PRIMARY KEY,
    settlement_id UUID NOT NULL REFERENCES settlements (id),
    amount BIGINT NOT NULL
        CONSTRAINT settlement_line_moves_money CHECK (amount <> 0)
);

CREATE INDEX settlement_lines_of_a_settlement ON settlement_lines (settlement_id, entry_id);

CREATE TRIGGER settlement_lines_are_never_rewritten
BEFORE UPDATE OR DELETE ON settlement_lines
FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Files exchanged with banks. Content is what counts: the same bytes are processed once,
-- whatever name they come under.
CREATE TABLE bank_files (
    direction TEXT NOT NULL
        CONSTRAINT bank_file_direction_is_known CHECK (direction IN ('in', 'out')),
    sha256 BYTEA NOT NULL
        CONSTRAINT bank_file_hash_is_sha256 CHECK (length(sha256) = 32),
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    message_id TEXT NOT NULL,
    processed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT bank_file_is_processed_once PRIMARY KEY (direction, sha256)
);

CREATE TRIGGER bank_files_are_never_rewritten
BEFORE UPDATE OR DELETE ON bank_files
FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Everything a bank said, line by line: applied to a settlement, or the reason why not.
CREATE TABLE bank_lines (
    file_sha256 BYTEA NOT NULL,
    position INT NOT NULL,
    direction TEXT NOT NULL DEFAULT 'in'
        CONSTRAINT bank_line_comes_in CHECK (direction = 'in'),
    kind TEXT NOT NULL
        CONSTRAINT bank_line_kind_is_known CHECK (kind IN ('status', 'entry')),
    reference TEXT NOT NULL,
    end_to_end_id TEXT,
    code TEXT,
    amount BIGINT,
    currency CHAR(3),
    booked_on DATE,
    matched UUID REFERENCES settlements (id),
    reason TEXT,
    PRIMARY KEY (file_sha256, position),
    FOREIGN KEY (direction, file_sha256) REFERENCES bank_files (direction, sha256),
    CONSTRAINT bank_line_is_matched_or_has_a_reason CHECK ((matched IS NULL) <> (reason IS NULL))
);

CREATE INDEX bank_lines_of_a_settlement ON bank_lines (matched) WHERE matched IS NOT NULL;
CREATE INDEX bank_lines_unmatched ON bank_lines (reason) WHERE reason IS NOT NULL;

CREATE TRIGGER bank_lines_are_never_rewritten
BEFORE UPDATE OR DELETE ON bank_lines
FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Posted on a merchant's payable account, and not by a payout: what settlements are made of.
CREATE VIEW settleable_entries AS
SELECT
    e.id AS entry_id,
    a.merchant_id,
    a.currency,
    a.mode,
    -e.delta AS amount,
    e.effective_at AS created_at,
    t.kind,
    t.object_id,
    t.transaction_id
FROM ledger_entries AS e
INNER JOIN accounts AS a ON e.account_id = a.id
INNER JOIN transfers AS t ON e.transfer_id = t.id
WHERE a.type = 'merchant_payable' AND e.type = 'posted' AND t.kind <> 'payout';

CREATE VIEW unsettled_entries AS
SELECT s.*
FROM settleable_entries AS s
WHERE NOT EXISTS (SELECT FROM settlement_lines AS l WHERE l.entry_id = s.entry_id);

-- The rules again, as questions whose every answer is a violation.
CREATE VIEW audit.settlement_amount_is_not_the_sum_of_its_lines AS
SELECT s.id, s.amount, coalesce(l.total, 0) AS total
FROM settlements AS s
LEFT JOIN (
    SELECT settlement_id, sum(amount) AS total FROM settlement_lines GROUP BY settlement_id
) AS l ON s.id = l.settlement_id
WHERE s.amount IS DISTINCT FROM l.total;

CREATE VIEW audit.settlement_line_is_not_its_ledger_entry AS
SELECT l.entry_id, l.settlement_id, l.amount, e.amount AS entry_amount
FROM settlement_lines AS l
INNER JOIN settlements AS s ON l.settlement_id = s.id
LEFT JOIN settleable_entries AS e ON l.entry_id = e.entry_id
WHERE
    (l.amount, s.merchant_id, s.currency, s.mode)
    IS DISTINCT FROM (e.amount, e.merchant_id, e.currency, e.mode);

CREATE VIEW audit.settlement_lacks_its_payout_transfer AS
SELECT s.id, s.status, s.payout_id
FROM settlements AS s
LEFT JOIN transfers AS t ON s.payout_id = t.id
WHERE
    (t.kind, t.amount, t.currency, t.mode)
    IS DISTINCT FROM ('payout', s.amount, s.currency, s.mode);

CREATE VIEW audit.paid_settlement_lacks_its_payout_paid_transfer AS
SELECT s.id, s.closing_id
FROM settlements AS s
LEFT JOIN transfers AS t ON s.closing_id = t.id
WHERE
    s.status = 'PAID'
    AND (t.kind, t.amount, t.currency, t.mode)
    IS DISTINCT FROM ('payout_paid', s.amount, s.currency, s.mode);

CREATE VIEW audit.failed_settlement_lacks_its_payout_returned_transfer AS
SELECT s.id, s.closing_id
FROM settlements AS s
LEFT JOIN transfers AS t ON s.closing_id = t.id
WHERE
    s.status = 'FAILED'
    AND (t.kind, t.amount, t.currency, t.mode)
    IS DISTINCT FROM ('payout_returned', s.amount, s.currency, s.mode);

CREATE VIEW audit.payout_transfer_belongs_to_no_settlement AS
SELECT t.id, t.kind, t.object_id
FROM transfers AS t
WHERE
    t.kind IN ('payout', 'payout_paid', 'payout_returned')
    AND NOT EXISTS (SELECT FROM settlements AS s WHERE s.payout_id = t.id)
    AND NOT EXISTS (SELECT FROM settlements AS s WHERE s.closing_id = t.id);

CREATE VIEW audit.paid_settlement_has_no_bank_line AS
SELECT s.id
FROM settlements AS s
WHERE
    s.status = 'PAID'
    AND NOT EXISTS (
        SELECT FROM bank_lines AS b
        WHERE b.matched = s.id AND b.kind = 'entry' AND b.amount = s.amount
    );
