-- Payout files: what we ask banks; and bank files: all that banks said, line by line, and what became of it.

-- A file that asks a bank to pay: which settlements it pays is in their message_id. Its bytes follow from these
-- rows alone, so it can be written again alike.
CREATE TABLE payout_files (
    message_id TEXT PRIMARY KEY
        CONSTRAINT message_id_is_what_banks_take CHECK (message_id ~ '^PNX-[A-Z0-9]{1,31}$'),
    mode TEXT NOT NULL,
    currency CHAR(3) NOT NULL,
    debtor JSONB NOT NULL,
    execution_date DATE NOT NULL,
    transfers INTEGER NOT NULL
        CONSTRAINT payout_file_pays_somebody CHECK (transfers > 0),
    amount BIGINT NOT NULL
        CONSTRAINT payout_file_pays_a_positive_amount CHECK (amount > 0),
    created_at TIMESTAMPTZ NOT NULL,
    -- How often it was put into the outbox, or was about to be: a bank that has it twice was not wrong.
    sends SMALLINT NOT NULL DEFAULT 0,
    sha256 BYTEA,
    sent_at TIMESTAMPTZ,
    -- When the bank first spoke of it.
    answered_at TIMESTAMPTZ,
    inquired_at TIMESTAMPTZ,
    inquiries SMALLINT NOT NULL DEFAULT 0,
    CONSTRAINT a_sent_file_has_its_hash CHECK ((sha256 IS NULL) = (sent_at IS NULL)),
    CONSTRAINT a_sent_file_was_put_into_the_outbox CHECK (sent_at IS NULL OR sends > 0),
    CONSTRAINT an_inquiry_has_its_time CHECK ((inquiries = 0) = (inquired_at IS NULL)),
    CONSTRAINT only_a_sent_file_is_inquired_about CHECK (inquiries = 0 OR sent_at IS NOT NULL)
);
CREATE INDEX payout_files_to_send ON payout_files (created_at) WHERE sent_at IS NULL;
CREATE INDEX payout_files_unanswered ON payout_files (sent_at) WHERE answered_at IS NULL;

CREATE FUNCTION payout_file_is_written_once() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
        OR (OLD.message_id, OLD.mode, OLD.currency, OLD.debtor, OLD.execution_date, OLD.transfers,
            OLD.amount, OLD.created_at)
        IS DISTINCT FROM
        (NEW.message_id, NEW.mode, NEW.currency, NEW.debtor, NEW.execution_date, NEW.transfers,
            NEW.amount, NEW.created_at)
        OR OLD.sent_at IS NOT NULL
        AND (OLD.sent_at, OLD.sha256) IS DISTINCT FROM (NEW.sent_at, NEW.sha256)
        OR OLD.answered_at IS NOT NULL AND OLD.answered_at IS DISTINCT FROM NEW.answered_at
        OR OLD.sends > NEW.sends OR OLD.inquiries > NEW.inquiries THEN
        RAISE EXCEPTION 'what a bank was asked is never changed or deleted' USING ERRCODE = 'PN020';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER payout_files_are_never_rewritten BEFORE UPDATE OR DELETE ON payout_files
FOR EACH ROW EXECUTE FUNCTION payout_file_is_written_once();

ALTER TABLE settlements
ADD CONSTRAINT settlement_is_in_a_payout_file
FOREIGN KEY (message_id) REFERENCES payout_files (message_id);

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
    -- When its writer made it, by its own clock.
    made_at TIMESTAMPTZ,
    processed_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT bank_file_is_processed_once PRIMARY KEY (direction, sha256)
);
CREATE TRIGGER bank_files_are_never_rewritten BEFORE UPDATE OR DELETE ON bank_files
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE bank_statements (
    file_sha256 BYTEA NOT NULL,
    position INTEGER NOT NULL,
    account_iban TEXT NOT NULL,
    -- Of our account; null: the account is nobody's that we know, and nothing of it is booked.
    mode TEXT,
    number BIGINT,
    day DATE NOT NULL,
    currency CHAR(3) NOT NULL,
    -- Booked balances; negative is overdrawn, null is not stated.
    opening BIGINT,
    closing BIGINT,
    entries INTEGER NOT NULL DEFAULT 0,
    -- Another file had it before, with other bytes: nothing of it is booked.
    is_repeated BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (file_sha256, position)
);
CREATE UNIQUE INDEX a_statement_is_booked_once
ON bank_statements (account_iban, currency, day, coalesce(number, -1)) WHERE NOT is_repeated;
CREATE TRIGGER bank_statements_are_never_deleted BEFORE DELETE ON bank_statements
FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- No foreign keys: a file has 100,000 lines. The audit asks instead.
CREATE TABLE bank_lines (
    file_sha256 BYTEA NOT NULL,
    position INTEGER NOT NULL,
    -- The statement of the file that it is on, counted from 0.
    statement INTEGER,
    -- status: an answer to a payout file. entry: money that was booked. part: one payment of the entry `whole`.
    -- notice: it moves nothing, its facts come again on a statement.
    kind TEXT NOT NULL
        CONSTRAINT bank_line_kind_is_known CHECK (kind IN ('status', 'entry', 'part', 'notice')),
    whole INTEGER,
    account_iban TEXT,
    reference TEXT NOT NULL,
    message_id TEXT,
    end_to_end_id TEXT,
    code TEXT,
    reason_code TEXT,
    amount BIGINT,
    currency CHAR(3),
    is_debit BOOLEAN,
    is_return BOOLEAN NOT NULL DEFAULT FALSE,
    booked_on DATE,
    value_on DATE,
    remittance TEXT,
    counterparty TEXT,
    -- The settlement that it was applied to.
    matched UUID,
    -- What became of it; see settlement/statements/model.py.
    verdict TEXT,
    PRIMARY KEY (file_sha256, position),
    CONSTRAINT bank_line_is_a_part_of_an_entry CHECK ((kind = 'part') = (whole IS NOT NULL)),
    CONSTRAINT bank_line_is_matched_by_what_it_did CHECK (
        (matched IS NOT NULL) <= (verdict IN ('accepted', 'rejected', 'known', 'paid', 'shown', 'returned'))
    )
);
CREATE INDEX bank_lines_of_a_settlement ON bank_lines (matched) WHERE matched IS NOT NULL;
CREATE INDEX bank_lines_about_a_file ON bank_lines (message_id)
WHERE kind = 'status' AND end_to_end_id IS NULL;
CREATE INDEX bank_lines_that_differ ON bank_lines (end_to_end_id)
WHERE verdict IN ('amount', 'currency');

CREATE FUNCTION bank_line_is_judged_once() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.verdict IS NOT NULL THEN
        RAISE EXCEPTION 'what a bank said is never changed, and is judged once' USING ERRCODE = 'PN020';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER bank_lines_are_never_rewritten BEFORE UPDATE OR DELETE ON bank_lines
FOR EACH ROW EXECUTE FUNCTION bank_line_is_judged_once();

-- Which transfers book an entry. `amount` is signed as the account sees it: negative is money that left.
CREATE TABLE bank_matches (
    transfer_id UUID PRIMARY KEY,
    file_sha256 BYTEA NOT NULL,
    position INTEGER NOT NULL,
    rule TEXT NOT NULL,
    amount BIGINT NOT NULL
);
CREATE INDEX bank_matches_of_a_line ON bank_matches (file_sha256, position);
CREATE TRIGGER bank_matches_are_never_rewritten BEFORE UPDATE OR DELETE ON bank_matches
FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What each entry moves on our account: nothing if the account isn't ours, or it was booked before.
CREATE VIEW booked_bank_lines AS
SELECT
    l.file_sha256, l.position, s.mode, l.currency,
    CASE WHEN l.is_debit THEN -l.amount ELSE l.amount END AS amount
FROM bank_lines AS l
INNER JOIN bank_statements AS s ON s.file_sha256 = l.file_sha256 AND s.position = l.statement
WHERE l.kind = 'entry' AND s.mode IS NOT NULL AND NOT s.is_repeated;

-- How transfers moved cash, for all kinds that a bank's line books.
CREATE VIEW cash_movements AS
SELECT
    t.id AS transfer_id, t.kind, t.mode, t.currency,
    CASE d.type WHEN 'cash' THEN t.amount ELSE -t.amount END AS amount
FROM transfers AS t
INNER JOIN accounts AS d ON d.id = t.debit_account_id
INNER JOIN accounts AS c ON c.id = t.credit_account_id
WHERE (d.type = 'cash') <> (c.type = 'cash')
    AND t.kind IN ('payout_paid', 'payout_returned', 'gateway_payout', 'unexplained_in', 'unexplained_out');

-- Money that came back although no statement had shown that it left: it had. Until one does.
CREATE VIEW payouts_proven_by_their_return AS
SELECT s.paid_id AS transfer_id, s.mode, s.currency, -s.amount AS amount
FROM settlements AS s
WHERE s.status = 'RETURNED'
    AND NOT EXISTS (SELECT FROM bank_matches AS m WHERE m.transfer_id = s.paid_id);

CREATE VIEW audit.bank_line_is_not_booked_once AS
SELECT l.file_sha256, l.position, l.amount, m.amount AS booked
FROM booked_bank_lines AS l
FULL JOIN (
    SELECT file_sha256, position, sum(amount) AS amount FROM bank_matches GROUP BY file_sha256, position
) AS m ON (m.file_sha256, m.position) = (l.file_sha256, l.position)
WHERE l.amount IS DISTINCT FROM m.amount AND (l.amount <> 0 OR m.amount <> 0);

CREATE VIEW audit.bank_match_differs_from_its_transfer AS
SELECT m.transfer_id, m.amount, c.amount AS booked
FROM bank_matches AS m
LEFT JOIN booked_bank_lines AS l ON (l.file_sha256, l.position) = (m.file_sha256, m.position)
LEFT JOIN cash_movements AS c ON c.transfer_id = m.transfer_id
WHERE (m.amount, l.mode, l.currency) IS DISTINCT FROM (c.amount, c.mode, c.currency);

CREATE VIEW audit.cash_moved_without_a_bank_line AS
SELECT c.transfer_id, c.kind, c.amount
FROM cash_movements AS c
WHERE NOT EXISTS (SELECT FROM bank_matches AS m WHERE m.transfer_id = c.transfer_id)
    AND NOT EXISTS (SELECT FROM payouts_proven_by_their_return AS p WHERE p.transfer_id = c.transfer_id);

CREATE VIEW audit.cash_is_not_what_banks_booked AS
SELECT
    mode, currency, sum(amount) FILTER (WHERE is_cash) AS cash, sum(amount) FILTER (WHERE NOT is_cash) AS booked
FROM (
    SELECT mode, currency, amount, TRUE AS is_cash FROM cash_movements
    UNION ALL
    SELECT mode, currency, -amount, FALSE FROM booked_bank_lines
    UNION ALL
    SELECT mode, currency, -amount, FALSE FROM payouts_proven_by_their_return
) AS moved
GROUP BY mode, currency HAVING sum(amount) <> 0;

CREATE VIEW audit.bank_line_has_no_verdict AS
SELECT file_sha256, position FROM bank_lines WHERE verdict IS NULL;

CREATE VIEW audit.bank_line_has_no_file AS
SELECT DISTINCT l.file_sha256 FROM bank_lines AS l
WHERE NOT EXISTS (SELECT FROM bank_files AS f WHERE f.direction = 'in' AND f.sha256 = l.file_sha256);

CREATE VIEW audit.bank_line_is_matched_to_no_settlement AS
SELECT l.file_sha256, l.position, l.matched FROM bank_lines AS l
WHERE l.matched IS NOT NULL AND NOT EXISTS (SELECT FROM settlements AS s WHERE s.id = l.matched);

CREATE VIEW audit.final_settlement_has_no_bank_line AS
SELECT s.id, s.status
FROM settlements AS s
WHERE s.status IN ('PAID', 'RETURNED') AND NOT EXISTS (
    SELECT FROM bank_matches AS m
    WHERE m.transfer_id = CASE s.status WHEN 'PAID' THEN s.paid_id ELSE s.failed_id END
);

CREATE VIEW audit.payout_file_is_not_the_sum_of_its_settlements AS
SELECT f.message_id, f.transfers, f.amount, count(s.id) AS settlements, sum(s.amount) AS total
FROM payout_files AS f
LEFT JOIN settlements AS s ON s.message_id = f.message_id
    AND (s.mode, s.currency, s.instruction -> 'debtor', s.instruction ->> 'execution_date')
    = (f.mode, f.currency, f.debtor, f.execution_date::TEXT)
GROUP BY f.message_id
HAVING (f.transfers, f.amount) IS DISTINCT FROM (count(s.id), sum(s.amount))
    OR count(s.id) <> (SELECT count(*) FROM settlements AS a WHERE a.message_id = f.message_id);
