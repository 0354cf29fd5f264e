-- Accounts: found by name and opened at first use, held within their limits while many book on
-- them at the same time, and spread, limited or closed while payments go on.

CREATE FUNCTION ledger_slots(p_type TEXT, p_merchant_id UUID) RETURNS SMALLINT
LANGUAGE sql IMMUTABLE AS $$
    -- The platform's own accounts take part in every payment; a merchant's is busy if the
    -- merchant is, and is then spread by ledger_spread_account.
    SELECT CASE WHEN p_merchant_id IS NULL THEN 64 ELSE 1 END::SMALLINT
$$;

CREATE FUNCTION ledger_account(
    p_type TEXT, p_mode TEXT, p_currency TEXT, p_merchant_id UUID
) RETURNS accounts
LANGUAGE plpgsql AS $$
DECLARE
    nil CONSTANT UUID := '00000000-0000-0000-0000-000000000000';
    account accounts;
BEGIN
    SELECT * INTO account FROM accounts
    WHERE type = p_type AND mode = p_mode AND currency = p_currency::CHAR(3)
        AND coalesce(merchant_id, '00000000-0000-0000-0000-000000000000')
        = coalesce(p_merchant_id, nil);
    IF FOUND THEN
        RETURN account;
    END IF;
    INSERT INTO accounts (type, normal_side, mode, currency, merchant_id, slots)
    VALUES (
        p_type,
        CASE WHEN p_type IN (
            'gateway_receivable', 'gateway_costs', 'cash', 'dispute'
        ) THEN 'debit' ELSE 'credit' END,
        p_mode, p_currency, p_merchant_id, ledger_slots(p_type, p_merchant_id)
    ) ON CONFLICT DO NOTHING;
    SELECT * INTO STRICT account FROM accounts
    WHERE type = p_type AND mode = p_mode AND currency = p_currency::CHAR(3)
        AND coalesce(merchant_id, '00000000-0000-0000-0000-000000000000')
        = coalesce(p_merchant_id, nil);
    INSERT INTO account_balances (account_id, slot)
    SELECT account.id, n FROM generate_series(0, account.slots - 1) AS n
    ON CONFLICT DO NOTHING;
    RETURN account;
END
$$;
COMMENT ON FUNCTION ledger_account IS 'The account of this name, opened at first use.';

-- Limits. What may still be moved out of one slot; the whole account's is the sum.

CREATE FUNCTION ledger_slack(p_slot account_balances, p_is_debit BOOLEAN) RETURNS BIGINT
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_is_debit
        THEN p_slot.credits_posted - p_slot.debits_posted - p_slot.debits_pending
        ELSE p_slot.debits_posted - p_slot.credits_posted - p_slot.credits_pending
    END
$$;

CREATE FUNCTION ledger_gather(
    p_account_id UUID, p_slot SMALLINT, p_is_debit BOOLEAN, p_amount BIGINT
) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    needed BIGINT := p_amount;
    other RECORD;
    moved BIGINT;
BEGIN
    FOR other IN
        SELECT b.slot, ledger_slack(b, p_is_debit) AS slack FROM account_balances AS b
        WHERE b.account_id = p_account_id AND b.slot <> p_slot ORDER BY b.slot
    LOOP
        CONTINUE WHEN other.slack <= 0;
        moved := least(other.slack, needed);
        UPDATE account_balances AS b SET
            credits_posted = credits_posted
                + CASE WHEN NOT p_is_debit THEN 0 WHEN slot = p_slot THEN moved ELSE -moved END,
            debits_posted = debits_posted
                + CASE WHEN p_is_debit THEN 0 WHEN slot = p_slot THEN moved ELSE -moved END,
            room = room + CASE WHEN slot = p_slot THEN moved ELSE -moved END
        WHERE account_id = p_account_id AND slot IN (p_slot, other.slot);
        needed := needed - moved;
        EXIT WHEN needed = 0;
    END LOOP;
    IF needed > 0 THEN
        RAISE EXCEPTION 'account % has less than was counted', p_account_id;
    END IF;
END
$$;
COMMENT ON FUNCTION ledger_gather IS
    'Moves so much from the account''s other slots into this one. All of them are locked.';

CREATE FUNCTION ledger_slot_suffices(
    p_account_id UUID, p_slot SMALLINT, p_is_debit BOOLEAN, p_amount BIGINT
) RETURNS BOOLEAN
LANGUAGE plpgsql AS $$
DECLARE
    slack BIGINT;
BEGIN
    SELECT ledger_slack(b, p_is_debit) INTO slack FROM account_balances AS b
    WHERE account_id = p_account_id AND slot = p_slot;
    IF slack < p_amount THEN
        RETURN FALSE;
    END IF;
    SELECT ledger_slack(b, p_is_debit) INTO slack FROM account_balances AS b
    WHERE account_id = p_account_id AND slot = p_slot FOR UPDATE;
    IF slack < p_amount THEN
        -- Others were quicker. To wait for all slots while holding one could wait for ever:
        -- this block's end gives the lock back.
        RAISE EXCEPTION USING ERRCODE = 'PN099';
    END IF;
    RETURN TRUE;
EXCEPTION WHEN SQLSTATE 'PN099' THEN
    RETURN FALSE;
END
$$;
COMMENT ON FUNCTION ledger_slot_suffices IS
    'Whether the slot alone can give so much; it is locked if it can, and not if it can not.';

CREATE FUNCTION ledger_secure(
    p_account accounts, p_slot SMALLINT, p_is_debit BOOLEAN, p_amount BIGINT
) RETURNS BOOLEAN
LANGUAGE plpgsql AS $$
DECLARE
    is_limited BOOLEAN := CASE WHEN p_is_debit THEN p_account.debits_must_not_exceed_credits
        ELSE p_account.credits_must_not_exceed_debits END;
    own BIGINT;
    total BIGINT;
BEGIN
    IF NOT is_limited THEN
        PERFORM FROM account_balances
        WHERE account_id = p_account.id AND slot = p_slot FOR UPDATE;
        RETURN TRUE;
    END IF;
    IF ledger_slot_suffices(p_account.id, p_slot, p_is_debit, p_amount) THEN
        RETURN TRUE;
    END IF;
    PERFORM FROM account_balances WHERE account_id = p_account.id ORDER BY slot FOR UPDATE;
    SELECT sum(ledger_slack(b, p_is_debit)),
        sum(ledger_slack(b, p_is_debit)) FILTER (WHERE slot = p_slot)
    INTO total, own
    FROM account_balances AS b WHERE account_id = p_account.id;
    IF total < p_amount THEN
        RETURN FALSE;
    END IF;
    IF own < p_amount THEN
        PERFORM ledger_gather(p_account.id, p_slot, p_is_debit, p_amount - own);
    END IF;
    RETURN TRUE;
END
$$;
COMMENT ON FUNCTION ledger_secure IS
    'Whether this leg may move the amount, which then is locked and lies in the slot: a limit '
    'holds however many book at the same time.';

-- Accounts at work: spread, limited, closed, opened again. None of it stops payments.

CREATE FUNCTION ledger_spread_account(p_account_id UUID, p_slots INTEGER) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO account_balances (account_id, slot, closed, room, limits_debits)
    SELECT a.id, n, a.closed,
        CASE WHEN a.debits_must_not_exceed_credits OR a.credits_must_not_exceed_debits THEN 0 END,
        a.debits_must_not_exceed_credits
    FROM accounts AS a, generate_series(0, p_slots - 1) AS n
    WHERE a.id = p_account_id
    ON CONFLICT DO NOTHING;
    -- Rows beyond the new number stay, and count: only new transfers keep away from them.
    UPDATE accounts SET slots = p_slots WHERE id = p_account_id;
END
$$;
COMMENT ON FUNCTION ledger_spread_account IS
    'New transfers of the account are spread over so many rows (1 to 64), from now on.';

CREATE FUNCTION ledger_limit_account(p_account_id UUID, p_limit TEXT) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    is_debit CONSTANT BOOLEAN := p_limit IS NOT DISTINCT FROM 'debits_must_not_exceed_credits';
    short RECORD;
BEGIN
    IF p_limit NOT IN ('debits_must_not_exceed_credits', 'credits_must_not_exceed_debits') THEN
        RAISE EXCEPTION 'there is no limit %', p_limit USING ERRCODE = 'PN012';
    END IF;
    PERFORM FROM account_balances WHERE account_id = p_account_id ORDER BY slot FOR UPDATE;
    UPDATE account_balances SET room = NULL, limits_debits = FALSE
    WHERE account_id = p_account_id;
    IF p_limit IS NOT NULL THEN
        IF (
            SELECT sum(ledger_slack(b, is_debit)) FROM account_balances AS b
            WHERE account_id = p_account_id
        ) < 0 THEN
            RAISE EXCEPTION 'account % is beyond this limit already', p_account_id USING
                ERRCODE = CASE WHEN is_debit THEN 'PN031' ELSE 'PN032' END;
        END IF;
        -- A limit holds in every slot by itself.
        FOR short IN
            SELECT slot, ledger_slack(b, is_debit) AS slack FROM account_balances AS b
            WHERE account_id = p_account_id AND ledger_slack(b, is_debit) < 0
        LOOP
            PERFORM ledger_gather(p_account_id, short.slot, is_debit, -short.slack);
        END LOOP;
    END IF;
    UPDATE account_balances AS b SET
        limits_debits = is_debit,
        room = CASE WHEN p_limit IS NOT NULL THEN ledger_slack(b, is_debit) END
    WHERE account_id = p_account_id;
    UPDATE accounts SET
        debits_must_not_exceed_credits = is_debit,
        credits_must_not_exceed_debits = p_limit IS NOT NULL AND NOT is_debit
    WHERE id = p_account_id;
END
$$;
COMMENT ON FUNCTION ledger_limit_account IS
    'The account is limited on this side from now on; null lifts its limit.';

CREATE FUNCTION ledger_close_account(p_account_id UUID, p_closed BOOLEAN DEFAULT TRUE) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM account_balances WHERE account_id = p_account_id ORDER BY slot FOR UPDATE;
    UPDATE account_balances SET closed = p_closed WHERE account_id = p_account_id;
    UPDATE accounts SET closed = p_closed WHERE id = p_account_id;
END
$$;
COMMENT ON FUNCTION ledger_close_account IS
    'Nothing but the release of what is pending is booked on the account from now on; or again.';
