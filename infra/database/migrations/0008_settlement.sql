-- Settlement: what merchants are paid and when, what makes it up, and where it is on its way.

-- The accounts that pay merchants, one per mode and currency.
CREATE TABLE house_accounts (
    mode TEXT NOT NULL
        CONSTRAINT house_account_mode_is_known CHECK (mode IN ('test', 'live')),
    currency CHAR(3) NOT NULL,
    holder TEXT NOT NULL,
    iban TEXT NOT NULL,
    bic TEXT NOT NULL,
    address JSONB
        CONSTRAINT house_address_has_town_and_country CHECK (address ?& ARRAY['town', 'country']),
    -- On which days the bank pays: TARGET2, or a calendar whose days are in bank_holidays.
    calendar TEXT NOT NULL DEFAULT 'TARGET2',
    -- For so many days the bank refuses a file whose message id it has had; 0: never send one twice.
    repeat_days SMALLINT NOT NULL DEFAULT 10
        CONSTRAINT repeat_days_are_days CHECK (repeat_days >= 0),
    -- So many of its business days after the execution a payment is on its statement.
    deadline_days SMALLINT NOT NULL DEFAULT 1
        CONSTRAINT deadline_is_days_away CHECK (deadline_days >= 0),
    PRIMARY KEY (mode, currency),
    -- What a bank says of an account is of one mode.
    CONSTRAINT a_house_account_is_of_one_mode UNIQUE (iban, currency)
);

-- Test mode pays from an account that every sandbox bank holds from its start.
INSERT INTO house_accounts (mode, currency, holder, iban, bic)
VALUES ('test', 'EUR', 'PayNexus', 'NL41MOCK0000000001', 'MOCKNL2A');

-- Days on which nobody pays, besides weekends and, for TARGET2, the days that its rules name.
CREATE TABLE bank_holidays (
    calendar TEXT NOT NULL,
    day DATE NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (calendar, day)
);

-- What was agreed with a merchant; without a row the defaults of settlement/terms.py hold.
CREATE TABLE settlement_terms (
    merchant_id UUID NOT NULL REFERENCES merchants (id),
    currency CHAR(3) NOT NULL,
    frequency TEXT NOT NULL
        CONSTRAINT frequency_is_known CHECK (frequency IN ('daily', 'weekly', 'monthly', 'manual')),
    -- ISO 8601: Monday is 1.
    weekday SMALLINT CONSTRAINT weekday_is_of_the_week CHECK (weekday BETWEEN 1 AND 7),
    -- The last day of a month that is shorter.
    month_day SMALLINT CONSTRAINT day_is_of_the_month CHECK (month_day BETWEEN 1 AND 31),
    cutoff_time TIME NOT NULL,
    time_zone TEXT NOT NULL,
    calendar TEXT NOT NULL,
    minimum_amount BIGINT NOT NULL
        CONSTRAINT minimum_is_not_negative CHECK (minimum_amount >= 0),
    reserve_basis_points INTEGER NOT NULL
        CONSTRAINT reserve_is_a_share CHECK (reserve_basis_points BETWEEN 0 AND 10000),
    reserve_days SMALLINT NOT NULL
        CONSTRAINT reserve_is_held_for_days CHECK (reserve_days BETWEEN 0 AND 730),
    PRIMARY KEY (merchant_id, currency),
    CONSTRAINT a_weekly_cutoff_has_its_weekday CHECK ((frequency = 'weekly') = (weekday IS NOT NULL)),
    CONSTRAINT a_monthly_cutoff_has_its_day CHECK ((frequency = 'monthly') = (month_day IS NOT NULL)),
    CONSTRAINT a_reserve_is_held_for_a_time CHECK (reserve_basis_points = 0 OR reserve_days > 0)
);

CREATE TABLE settlements (
    id UUID PRIMARY KEY,
    merchant_id UUID NOT NULL REFERENCES merchants (id),
    amount BIGINT NOT NULL
        CONSTRAINT settlement_pays_a_positive_amount CHECK (amount > 0),
    status TEXT NOT NULL
        CONSTRAINT settlement_status_is_known CHECK (
            status IN ('PENDING', 'INSTRUCTED', 'ACCEPTED', 'PAID', 'REJECTED', 'RETURNED')
        ),
    processed_at TIMESTAMP WITH TIME ZONE,
    currency CHAR(3) NOT NULL,
    mode TEXT NOT NULL
        CONSTRAINT settlement_mode_is_known CHECK (mode IN ('test', 'live')),
    cutoff TIMESTAMP WITH TIME ZONE NOT NULL,
    -- What it pays: the posted entries of the merchant's payable account after the one, up to and
    -- with the other. Ranges of an account form a chain: each begins where the one before it ends.
    account_id UUID NOT NULL REFERENCES accounts (id),
    after_entry BIGINT NOT NULL,
    through_entry BIGINT NOT NULL,
    follows BIGINT GENERATED ALWAYS AS (nullif(after_entry, 0)) STORED,
    -- Its own bookings on the account lie at or before this entry: they belong to no range's sum.
    booked_entry BIGINT NOT NULL,
    reserve_amount total NOT NULL,
    -- The day on which the merchant's bank should have the money.
    expected_on DATE NOT NULL,
    -- The file that instructs the bank to pay it, from when it is in one on.
    message_id TEXT,
    end_to_end_id TEXT NOT NULL
        CONSTRAINT settlement_has_a_reference_of_its_own UNIQUE,
    -- Both bank accounts and the execution date as they were: the file can be written again alike.
    instruction JSONB NOT NULL,
    failure_code TEXT,
    -- The bookings: payout when it is made; payout_paid when it is paid; payout_rejected or
    -- payout_returned when it failed.
    payout_id UUID NOT NULL UNIQUE,
    reserve_id UUID UNIQUE,
    paid_id UUID UNIQUE,
    failed_id UUID UNIQUE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT one_settlement_a_merchant_currency_mode_and_cutoff
    UNIQUE (merchant_id, currency, mode, cutoff),
    CONSTRAINT settlement_pays_a_range CHECK (after_entry < through_entry),
    CONSTRAINT no_two_settlements_begin_at_one_entry UNIQUE (account_id, after_entry),
    CONSTRAINT no_two_settlements_end_at_one_entry UNIQUE (account_id, through_entry),
    CONSTRAINT settlement_begins_where_the_one_before_ended
    FOREIGN KEY (account_id, follows) REFERENCES settlements (account_id, through_entry),
    CONSTRAINT a_final_settlement_has_its_time
    CHECK ((status IN ('PAID', 'REJECTED', 'RETURNED')) = (processed_at IS NOT NULL)),
    CONSTRAINT what_was_paid_is_booked
    CHECK ((status IN ('PAID', 'RETURNED')) = (paid_id IS NOT NULL)),
    CONSTRAINT what_failed_is_booked
    CHECK ((status IN ('REJECTED', 'RETURNED')) = (failed_id IS NOT NULL)),
    CONSTRAINT only_a_failed_settlement_has_a_failure_code
    CHECK (failure_code IS NULL OR status IN ('REJECTED', 'RETURNED')),
    CONSTRAINT what_is_held_back_is_booked CHECK ((reserve_amount > 0) = (reserve_id IS NOT NULL)),
    CONSTRAINT what_was_instructed_is_in_a_file CHECK (status = 'PENDING' OR message_id IS NOT NULL)
);

CREATE INDEX settlements_of_a_merchant ON settlements (merchant_id, mode, id);
CREATE INDEX settlements_without_a_file ON settlements (id) WHERE message_id IS NULL;
CREATE INDEX settlements_of_a_file ON settlements (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX settlements_on_their_way ON settlements (cutoff)
WHERE status IN ('PENDING', 'INSTRUCTED', 'ACCEPTED');

-- The lifecycle; settlement/model.py holds the same table.
CREATE FUNCTION settlement_may_become(p_old TEXT, p_new TEXT) RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE AS $$
    SELECT (p_old, p_new) IN (
        ('PENDING', 'INSTRUCTED'),
        ('INSTRUCTED', 'ACCEPTED'), ('INSTRUCTED', 'PAID'), ('INSTRUCTED', 'REJECTED'),
        ('ACCEPTED', 'PAID'), ('ACCEPTED', 'REJECTED'),
        ('PAID', 'RETURNED'))
$$;

CREATE FUNCTION settlement_status_moves_along_the_table() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'PENDING' THEN
            RAISE EXCEPTION 'a settlement starts PENDING, not %', NEW.status
                USING ERRCODE = 'PN010';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.merchant_id, NEW.amount, NEW.currency, NEW.mode, NEW.cutoff, NEW.account_id,
        NEW.after_entry, NEW.through_entry, NEW.booked_entry, NEW.reserve_amount,
        NEW.end_to_end_id, NEW.instruction, NEW.payout_id, NEW.reserve_id, NEW.created_at)
        IS DISTINCT FROM
        (OLD.id, OLD.merchant_id, OLD.amount, OLD.currency, OLD.mode, OLD.cutoff, OLD.account_id,
        OLD.after_entry, OLD.through_entry, OLD.booked_entry, OLD.reserve_amount,
        OLD.end_to_end_id, OLD.instruction, OLD.payout_id, OLD.reserve_id, OLD.created_at) THEN
        RAISE EXCEPTION 'a settlement changes its status only' USING ERRCODE = 'PN010';
    END IF;
    IF NEW.message_id IS DISTINCT FROM OLD.message_id THEN
        -- Once, and nothing else with it: no settlement is ever in two files.
        IF OLD.message_id IS NOT NULL OR NEW.status <> 'PENDING' OR OLD.status <> 'PENDING' THEN
            RAISE EXCEPTION 'a settlement is in one file' USING ERRCODE = 'PN010';
        END IF;
        RETURN NEW;
    END IF;
    IF NOT settlement_may_become(OLD.status, NEW.status) THEN
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

-- Why a merchant's money waits though it is due: the bank refused its account.
CREATE TABLE payout_holds (
    merchant_id UUID NOT NULL REFERENCES merchants (id),
    currency CHAR(3) NOT NULL,
    mode TEXT NOT NULL,
    -- Payouts that failed in a row.
    failures SMALLINT NOT NULL,
    code TEXT,
    -- The account that was refused: details that differ from it are tried at once.
    refused JSONB NOT NULL,
    -- Null: not before the details are others.
    retry_at TIMESTAMPTZ,
    since TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (merchant_id, currency, mode)
);

-- What is held back of a settlement, and when it goes back to the balance.
CREATE TABLE reserves (
    settlement_id UUID PRIMARY KEY REFERENCES settlements (id),
    release_at TIMESTAMPTZ NOT NULL,
    release_id UUID UNIQUE,
    released_at TIMESTAMPTZ,
    CONSTRAINT a_release_is_booked CHECK ((release_id IS NULL) = (released_at IS NULL))
);
CREATE INDEX reserves_held ON reserves (release_at) WHERE released_at IS NULL;

-- Posted on a merchant's payable account, and not by a settlement itself: what settlements are
-- made of.
CREATE VIEW settleable_entries AS
SELECT
    e.id AS entry_id,
    e.account_id,
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
WHERE a.type = 'merchant_payable' AND e.type = 'posted' AND t.kind NOT IN ('payout', 'reserve_hold');

CREATE VIEW settlement_lines AS
SELECT s.id AS settlement_id, e.*
FROM settlements AS s
INNER JOIN settleable_entries AS e
    ON s.account_id = e.account_id AND s.after_entry < e.entry_id AND s.through_entry >= e.entry_id;

CREATE VIEW unsettled_entries AS
SELECT e.*
FROM settleable_entries AS e
WHERE e.entry_id > coalesce((
    SELECT max(s.through_entry) FROM settlements AS s WHERE s.account_id = e.account_id
), 0);

CREATE FUNCTION settlement_of_entry(p_account_id UUID, p_entry_id BIGINT) RETURNS UUID
LANGUAGE sql STABLE AS $$
    -- The chain leaves no gap: the first range that ends at or after the entry has it.
    SELECT id FROM settlements WHERE account_id = p_account_id AND through_entry >= p_entry_id
    ORDER BY through_entry LIMIT 1
$$;
COMMENT ON FUNCTION settlement_of_entry IS 'The settlement that pays the entry; null: none yet.';

-- The rules again, as questions whose every answer is a violation.
CREATE VIEW audit.settlement_amount_is_not_the_sum_of_its_lines AS
SELECT s.id, s.amount, s.reserve_amount, coalesce(l.total, 0) AS total
FROM settlements AS s
LEFT JOIN (
    SELECT settlement_id, sum(amount) AS total FROM settlement_lines GROUP BY settlement_id
) AS l ON s.id = l.settlement_id
WHERE s.amount + s.reserve_amount IS DISTINCT FROM l.total;

CREATE VIEW audit.settlement_differs_from_its_account AS
SELECT s.id, s.account_id
FROM settlements AS s
LEFT JOIN accounts AS a ON s.account_id = a.id AND a.type = 'merchant_payable'
WHERE (s.merchant_id, s.currency, s.mode) IS DISTINCT FROM (a.merchant_id, a.currency, a.mode);

-- What settlements and the unsettled add up to, against the balance.
CREATE VIEW audit.payable_balance_is_not_what_is_unsettled AS
SELECT a.id AS account_id, b.posted, coalesce(u.amount, 0) AS unsettled
FROM accounts AS a
INNER JOIN (
    SELECT account_id, sum(credits_posted - debits_posted) AS posted
    FROM account_balances GROUP BY account_id
) AS b ON b.account_id = a.id
LEFT JOIN (
    SELECT account_id, sum(amount) AS amount FROM unsettled_entries GROUP BY account_id
) AS u ON u.account_id = a.id
WHERE a.type = 'merchant_payable' AND b.posted <> coalesce(u.amount, 0);

CREATE VIEW audit.settlement_lacks_its_transfers AS
SELECT s.id, s.status, e.kind
FROM settlements AS s
CROSS JOIN LATERAL (
    VALUES (s.payout_id, 'payout', s.amount), (s.reserve_id, 'reserve_hold', s.reserve_amount),
    (s.paid_id, 'payout_paid', s.amount), (
        s.failed_id,
        CASE s.status WHEN 'REJECTED' THEN 'payout_rejected' ELSE 'payout_returned' END, s.amount
    )
) AS e (transfer_id, kind, amount)
LEFT JOIN transfers AS t ON e.transfer_id = t.id
WHERE
    e.transfer_id IS NOT NULL
    AND (t.kind::TEXT, t.amount, t.currency, t.mode)
    IS DISTINCT FROM (e.kind, e.amount, s.currency, s.mode);

CREATE VIEW audit.payout_transfer_belongs_to_no_settlement AS
SELECT t.id, t.kind, t.object_id
FROM transfers AS t
WHERE
    t.kind IN ('payout', 'payout_paid', 'payout_rejected', 'payout_returned', 'reserve_hold')
    AND NOT EXISTS (SELECT FROM settlements AS s WHERE s.payout_id = t.id)
    AND NOT EXISTS (SELECT FROM settlements AS s WHERE s.reserve_id = t.id)
    AND NOT EXISTS (SELECT FROM settlements AS s WHERE s.paid_id = t.id)
    AND NOT EXISTS (SELECT FROM settlements AS s WHERE s.failed_id = t.id);

CREATE VIEW audit.reserve_is_not_released_as_booked AS
SELECT r.settlement_id, r.release_id
FROM reserves AS r
INNER JOIN settlements AS s ON s.id = r.settlement_id
LEFT JOIN transfers AS t ON t.id = r.release_id
WHERE
    r.release_id IS NOT NULL
    AND (t.kind::TEXT, t.amount, t.currency, t.mode)
    IS DISTINCT FROM ('reserve_release', s.reserve_amount, s.currency, s.mode);
