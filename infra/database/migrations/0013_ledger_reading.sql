-- Reading the books: balances now and at any time, as known at any time; statements; entries.
--
-- Two times. An entry counts from its effective time, and is known from its recorded time,
-- which is the order of the entries' numbers. The balance at E as known at R is the sum of the
-- entries with effective_at <= E that were recorded at or before R. Nearly all entries count
-- from the moment of their recording ("undated"): of these the sum is a prefix, up to the
-- earlier of E and R, and a prefix is found from the last checkpoint before its end. The few
-- that a caller dated are summed one by one, from an index of their own.

CREATE TYPE ledger_totals AS (
    debits_pending BIGINT, debits_posted BIGINT, credits_pending BIGINT, credits_posted BIGINT
);

CREATE TYPE ledger_balance AS (
    debits_pending BIGINT,
    debits_posted BIGINT,
    credits_pending BIGINT,
    credits_posted BIGINT,
    -- On the account's normal side: what is booked, what is reserved either way, and what is
    -- booked and not reserved to go out.
    posted BIGINT,
    pending BIGINT,
    available BIGINT
);

CREATE FUNCTION ledger_entry_id_after(p_at TIMESTAMPTZ) RETURNS BIGINT
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    -- Numbers end in 2255; infinity is as good as 2200.
    SELECT ledger_entry_id_at(greatest(least(p_at, '2200-01-01 00:00:00+00'::TIMESTAMPTZ),
        '1970-01-01 00:00:00+00'::TIMESTAMPTZ)) + 1024
$$;
COMMENT ON FUNCTION ledger_entry_id_after IS
    'The least number of an entry recorded after this time: below it lies what was known then.';

CREATE FUNCTION ledger_on_normal_side(p_normal_side TEXT, p_totals ledger_totals)
RETURNS ledger_balance
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ROW(
        p_totals.*, t.sign * t.posted, t.sign * t.pending,
        t.sign * t.posted - CASE p_normal_side
            WHEN 'debit' THEN p_totals.credits_pending ELSE p_totals.debits_pending END
    )::ledger_balance
    FROM (
        SELECT CASE p_normal_side WHEN 'debit' THEN 1 ELSE -1 END AS sign,
            p_totals.debits_posted - p_totals.credits_posted AS posted,
            p_totals.debits_pending - p_totals.credits_pending AS pending
    ) AS t
$$;

-- What each entry adds to its account's totals. A posted entry takes out of the pending ones
-- what it released, a voided one what it is: both on the side on which the hold had put it.
CREATE VIEW ledger_movements AS
SELECT account_id, id, transfer_id, type, created_at, effective_at,
    effective_at <> created_at AS is_dated,
    CASE type WHEN 'pending' THEN greatest(delta, 0) WHEN 'voided' THEN least(delta, 0)
        ELSE -greatest(released, 0) END AS debits_pending,
    CASE WHEN type = 'posted' THEN greatest(delta, 0) ELSE 0 END AS debits_posted,
    CASE type WHEN 'pending' THEN greatest(-delta, 0) WHEN 'voided' THEN least(-delta, 0)
        ELSE -greatest(-released, 0) END AS credits_pending,
    CASE WHEN type = 'posted' THEN greatest(-delta, 0) ELSE 0 END AS credits_posted
FROM ledger_entries;

-- Checkpoints: the sum of an account's undated entries up to one of them. They are derived, and
-- may be deleted at any time: what is left of them serves, and a longer way is summed.

CREATE TABLE balance_checkpoints (
    account_id UUID NOT NULL,
    through_id BIGINT NOT NULL,
    debits_pending BIGINT NOT NULL,
    debits_posted BIGINT NOT NULL,
    credits_pending BIGINT NOT NULL,
    credits_posted BIGINT NOT NULL,
    PRIMARY KEY (account_id, through_id)
);
COMMENT ON TABLE balance_checkpoints IS
    'Totals of the account''s undated entries up to this one, itself included.';

-- Every 101st entry, as chance has it, gets a checkpoint: so a busy account has many, an idle
-- one none, and nobody keeps count. A prime takes no side: debits and credits, and the steps of
-- a payment, are numbered in turn.
CREATE INDEX entries_with_a_checkpoint ON ledger_entries (id) WHERE id % 101 = 0;

CREATE TABLE checkpoint_progress (
    is_the_only_row BOOLEAN PRIMARY KEY DEFAULT TRUE,
    through_id BIGINT NOT NULL,
    CONSTRAINT progress_is_one_row CHECK (is_the_only_row)
);
INSERT INTO checkpoint_progress (through_id) VALUES (0);

CREATE FUNCTION ledger_undated_totals(p_account_id UUID, p_before BIGINT) RETURNS ledger_totals
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    base balance_checkpoints;
    totals ledger_totals;
BEGIN
    SELECT * INTO base FROM balance_checkpoints
    WHERE account_id = p_account_id AND through_id < p_before
    ORDER BY through_id DESC LIMIT 1;
    IF NOT FOUND THEN
        base := ROW(p_account_id, -1, 0, 0, 0, 0);
    END IF;
    SELECT base.debits_pending + coalesce(sum(m.debits_pending), 0),
        base.debits_posted + coalesce(sum(m.debits_posted), 0),
        base.credits_pending + coalesce(sum(m.credits_pending), 0),
        base.credits_posted + coalesce(sum(m.credits_posted), 0)
    INTO totals
    FROM ledger_movements AS m
    WHERE m.account_id = p_account_id AND m.id > base.through_id AND m.id < p_before
        AND NOT m.is_dated;
    RETURN totals;
END
$$;
COMMENT ON FUNCTION ledger_undated_totals IS
    'Totals of the account''s undated entries below this number.';

CREATE FUNCTION ledger_totals_at(p_account_id UUID, p_effective TIMESTAMPTZ, p_before BIGINT)
RETURNS ledger_totals
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    undated ledger_totals := ledger_undated_totals(
        p_account_id, least(p_before, ledger_entry_id_after(p_effective)));
    totals ledger_totals;
BEGIN
    SELECT undated.debits_pending + coalesce(sum(m.debits_pending), 0),
        undated.debits_posted + coalesce(sum(m.debits_posted), 0),
        undated.credits_pending + coalesce(sum(m.credits_pending), 0),
        undated.credits_posted + coalesce(sum(m.credits_posted), 0)
    INTO totals
    FROM ledger_movements AS m
    -- The sum keeps the primary key out of it: to the planner the dated ones look like many.
    WHERE m.account_id = p_account_id AND m.effective_at <= p_effective AND m.id + 0 < p_before
        AND m.is_dated;
    RETURN totals;
END
$$;
COMMENT ON FUNCTION ledger_totals_at IS
    'Totals of the account''s entries that count at this time and have a number below this one.';

CREATE FUNCTION ledger_balance_at(
    p_account_id UUID, p_effective TIMESTAMPTZ, p_known TIMESTAMPTZ DEFAULT 'infinity'
) RETURNS ledger_balance
LANGUAGE plpgsql STABLE AS $$
DECLARE
    side TEXT;
BEGIN
    SELECT normal_side INTO side FROM accounts WHERE id = p_account_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no account %', p_account_id USING ERRCODE = 'PN011';
    END IF;
    RETURN ledger_on_normal_side(side, ledger_totals_at(
        p_account_id, p_effective, ledger_entry_id_after(p_known)));
END
$$;
COMMENT ON FUNCTION ledger_balance_at IS
    'The account''s balance at an effective time, as it was known at a recorded time.';

-- Now: balances, and the holds they contain, of one snapshot. A hold whose time is up counts as
-- released although nobody has voided it yet.

CREATE FUNCTION ledger_balances_now(p_account_ids UUID [])
RETURNS TABLE (account_id UUID, balance ledger_balance)
LANGUAGE sql STABLE AS $$
    SELECT a.id, ledger_on_normal_side(a.normal_side, ROW(
        t.debits_pending - coalesce(o.debits, 0), t.debits_posted,
        t.credits_pending - coalesce(o.credits, 0), t.credits_posted
    )::ledger_totals)
    FROM accounts AS a
    CROSS JOIN LATERAL (
        SELECT sum(b.debits_pending)::BIGINT AS debits_pending,
            sum(b.debits_posted)::BIGINT AS debits_posted,
            sum(b.credits_pending)::BIGINT AS credits_pending,
            sum(b.credits_posted)::BIGINT AS credits_posted
        FROM account_balances AS b WHERE b.account_id = a.id
    ) AS t
    LEFT JOIN (
        SELECT leg.account_id, sum(leg.debit)::BIGINT AS debits, sum(leg.credit)::BIGINT AS credits
        FROM open_holds AS h
        INNER JOIN transfers AS t ON t.id = h.transfer_id
        CROSS JOIN LATERAL (VALUES
            (t.debit_account_id, h.amount_left, 0::BIGINT),
            (t.credit_account_id, 0::BIGINT, h.amount_left)
        ) AS leg (account_id, debit, credit)
        WHERE h.expires_at <= (SELECT clock_timestamp())
        GROUP BY leg.account_id
    ) AS o ON o.account_id = a.id
    WHERE a.id = ANY (p_account_ids)
$$;
COMMENT ON FUNCTION ledger_balances_now IS
    'What the accounts hold, without the holds whose time is up.';

CREATE FUNCTION ledger_open_holds(p_account_ids UUID [], p_limit INTEGER)
RETURNS TABLE (
    account_id UUID, transfer_id UUID, kind TEXT, object_id TEXT, is_debit BOOLEAN,
    amount_left BIGINT, expires_at TIMESTAMPTZ
)
LANGUAGE sql STABLE AS $$
    SELECT a.id, h.transfer_id, t.kind::TEXT, t.object_id, t.debit_account_id = a.id, h.amount_left,
        h.expires_at
    FROM accounts AS a
    -- A hold carries the merchant whose account it is on; one on two merchants' accounts that of
    -- the receiving one, and is told there.
    INNER JOIN open_holds AS h ON h.merchant_id = a.merchant_id OR a.merchant_id IS NULL
    INNER JOIN transfers AS t
        ON t.id = h.transfer_id AND a.id IN (t.debit_account_id, t.credit_account_id)
    WHERE a.id = ANY (p_account_ids)
        AND (h.expires_at IS NULL OR h.expires_at > (SELECT clock_timestamp()))
    ORDER BY h.transfer_id LIMIT p_limit
$$;
COMMENT ON FUNCTION ledger_open_holds IS
    'What the accounts'' pending balances are made of, the oldest first.';

-- Lists. Running balances are counted from the balance before the page, so that they are right
-- for accounts that are spread over slots as well.

CREATE FUNCTION ledger_page(
    p_account_ids UUID [], p_before BIGINT, p_after BIGINT, p_limit INTEGER,
    p_least BIGINT DEFAULT 0
) RETURNS TABLE (
    id BIGINT, account_id UUID, transfer_id UUID, kind TEXT, object_id TEXT, type TEXT,
    currency CHAR(3), delta BIGINT, posted BIGINT, pending BIGINT, created_at TIMESTAMPTZ,
    effective_at TIMESTAMPTZ
)
LANGUAGE sql STABLE SET plan_cache_mode = force_generic_plan SET jit = off AS $$
    WITH page AS MATERIALIZED (
        SELECT e.*
        FROM unnest(p_account_ids) AS a (id)
        CROSS JOIN LATERAL (
            (SELECT n.* FROM ledger_entries AS n
            WHERE p_after IS NULL AND n.account_id = a.id
                AND n.id < coalesce(p_before, 9223372036854775807) AND n.id >= p_least
            ORDER BY n.id DESC LIMIT p_limit)
            UNION ALL
            (SELECT n.* FROM ledger_entries AS n
            WHERE p_after IS NOT NULL AND n.account_id = a.id AND n.id > p_after
            ORDER BY n.id LIMIT p_limit)
        ) AS e
        ORDER BY CASE WHEN p_after IS NULL THEN -e.id ELSE e.id END
        LIMIT p_limit
    ), bases AS MATERIALIZED (
        SELECT f.account_id, f.id AS first, t.*
        FROM (SELECT account_id, min(id) AS id, max(id) FROM page GROUP BY account_id) AS f
        CROSS JOIN LATERAL ledger_totals_at(f.account_id, 'infinity', f.id) AS t
    )
    SELECT e.id, e.account_id, e.transfer_id, t.kind::TEXT, t.object_id, e.type::TEXT, e.currency,
        e.delta,
        (b.debits_posted - b.credits_posted
        + sum(CASE WHEN e.type = 'posted' THEN e.delta ELSE 0 END) OVER w)::BIGINT,
        (b.debits_pending - b.credits_pending
        + sum(CASE WHEN e.type = 'posted' THEN -e.released ELSE e.delta END) OVER w)::BIGINT,
        e.created_at, e.effective_at
    FROM page AS e
    INNER JOIN bases AS b ON b.account_id = e.account_id
    -- One by one: to the planner, who doesn't know the limit, a page looks like a tenth of all.
    CROSS JOIN LATERAL (
        SELECT n.kind, n.object_id FROM transfers AS n WHERE n.id = e.transfer_id OFFSET 0
    ) AS t
    WINDOW w AS (PARTITION BY e.account_id ORDER BY e.id)
    ORDER BY CASE WHEN p_after IS NULL THEN -e.id ELSE e.id END
$$;
COMMENT ON FUNCTION ledger_page IS
    'Entries as recorded: the newest below p_before (null: of all) first, down to p_least, or the '
    'oldest above p_after; with the debit-positive balances after each.';

CREATE FUNCTION ledger_statement(
    p_account_id UUID, p_from TIMESTAMPTZ, p_until TIMESTAMPTZ, p_known TIMESTAMPTZ,
    p_after_effective TIMESTAMPTZ, p_after_id BIGINT, p_limit INTEGER
) RETURNS TABLE (
    id BIGINT, transfer_id UUID, kind TEXT, object_id TEXT, type TEXT, created_at TIMESTAMPTZ,
    effective_at TIMESTAMPTZ, change ledger_balance, balance ledger_balance
)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    side CONSTANT TEXT := (SELECT a.normal_side FROM accounts AS a WHERE a.id = p_account_id);
    since CONSTANT TIMESTAMPTZ := coalesce(p_after_effective, p_from);
    after_id CONSTANT BIGINT := coalesce(p_after_id, -1);
    known CONSTANT BIGINT := ledger_entry_id_after(p_known);
    base CONSTANT ledger_totals :=
        ledger_totals_at(p_account_id, since - INTERVAL '1 microsecond', known);
BEGIN
    RETURN QUERY
    WITH passed AS (
        -- Lines of the very microsecond in which the page before this one ended.
        SELECT coalesce(sum(m.debits_pending), 0) AS debits_pending,
            coalesce(sum(m.debits_posted), 0) AS debits_posted,
            coalesce(sum(m.credits_pending), 0) AS credits_pending,
            coalesce(sum(m.credits_posted), 0) AS credits_posted
        FROM (
            SELECT u.* FROM ledger_movements AS u
            WHERE u.account_id = p_account_id AND NOT u.is_dated
                AND u.id >= ledger_entry_id_after(since) - 1024
                AND u.id < ledger_entry_id_after(since)
            UNION ALL
            SELECT d.* FROM ledger_movements AS d
            WHERE d.account_id = p_account_id AND d.is_dated AND d.effective_at = since
        ) AS m
        WHERE m.id <= after_id
    ), lines AS MATERIALIZED (
        SELECT m.* FROM (
            (SELECT u.* FROM ledger_movements AS u
            WHERE u.account_id = p_account_id AND NOT u.is_dated AND u.id < known
                AND u.id >= ledger_entry_id_after(since) - 1024
                AND u.id < ledger_entry_id_after(p_until) - 1024
                AND (u.effective_at, u.id) > (since, after_id)
            ORDER BY u.id LIMIT p_limit)
            UNION ALL
            (SELECT d.* FROM ledger_movements AS d
            WHERE d.account_id = p_account_id AND d.is_dated AND d.id + 0 < known
                AND d.effective_at >= since AND d.effective_at < p_until
                AND (d.effective_at, d.id) > (since, after_id)
            ORDER BY d.effective_at, d.id LIMIT p_limit)
        ) AS m ORDER BY m.effective_at, m.id LIMIT p_limit
    )
    SELECT m.id, m.transfer_id, t.kind::TEXT, t.object_id, m.type::TEXT, m.created_at,
        m.effective_at,
        ledger_on_normal_side(side, ROW(
            m.debits_pending, m.debits_posted, m.credits_pending, m.credits_posted)),
        ledger_on_normal_side(side, ROW(
            (base.debits_pending + p.debits_pending + sum(m.debits_pending) OVER w)::BIGINT,
            (base.debits_posted + p.debits_posted + sum(m.debits_posted) OVER w)::BIGINT,
            (base.credits_pending + p.credits_pending + sum(m.credits_pending) OVER w)::BIGINT,
            (base.credits_posted + p.credits_posted + sum(m.credits_posted) OVER w)::BIGINT))
    FROM lines AS m
    CROSS JOIN passed AS p
    INNER JOIN transfers AS t ON t.id = m.transfer_id
    WINDOW w AS (ORDER BY m.effective_at, m.id)
    ORDER BY m.effective_at, m.id;
END
$$;
COMMENT ON FUNCTION ledger_statement IS
    'Lines that count from p_from to before p_until, as known at p_known, by when they count; '
    'each with what it changes and the balance after it. The next page starts after a line.';

-- Making checkpoints. A checkpoint may only cover numbers below which nobody can still insert:
-- an entry takes its number while its transaction runs, and is seen when that commits.
--
-- ledger_write reads the clock for an entry's number after it has changed a balance, and a
-- change gives a transaction its id. So, of a moment and a transaction id drawn after it: every
-- entry numbered before the moment belongs to a transaction with a smaller id. Once all of
-- those have ended, which the oldest running transaction id (xmin) tells without any privilege
-- and of prepared transactions too, each such entry is either visible or will never be. Readers
-- that write nothing have no id and hold nobody up. A clock that is set back breaks the first
-- step; the margin bears ten seconds of it, as after a fail-over, and the audit finds the rest.

CREATE FUNCTION ledger_mark(OUT marked_at TIMESTAMPTZ, OUT transaction XID8)
LANGUAGE sql AS $$
    -- In a transaction of its own: now() is its start, before its id is drawn.
    SELECT now(), pg_current_xact_id()
$$;
COMMENT ON FUNCTION ledger_mark IS
    'A moment, and an id greater than that of each transaction that books before it.';

CREATE FUNCTION ledger_checkpoint(p_marked_at TIMESTAMPTZ, p_transaction XID8, p_limit INTEGER)
RETURNS INTEGER
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    horizon CONSTANT BIGINT := ledger_entry_id_at(p_marked_at - INTERVAL '10 seconds');
    done BIGINT;
    sample RECORD;
    made INTEGER := 0;
BEGIN
    IF pg_snapshot_xmin(pg_current_snapshot()) <= p_transaction THEN
        RETURN NULL;
    END IF;
    SELECT through_id INTO done FROM checkpoint_progress FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    FOR sample IN
        SELECT e.account_id, e.id FROM ledger_entries AS e
        WHERE e.id % 101 = 0 AND e.id > done AND e.id < horizon ORDER BY e.id LIMIT p_limit
    LOOP
        made := made + 1;
        done := sample.id;
        INSERT INTO balance_checkpoints
        SELECT a.id, sample.id, t.*
        FROM accounts AS a, ledger_undated_totals(a.id, sample.id + 1) AS t
        WHERE a.id = sample.account_id AND a.keeps_history
        ON CONFLICT DO NOTHING;
    END LOOP;
    UPDATE checkpoint_progress SET through_id = CASE
        WHEN made < p_limit THEN greatest(through_id, horizon - 1) ELSE done END;
    RETURN made;
END
$$;
COMMENT ON FUNCTION ledger_checkpoint IS
    'Entries up to ten seconds before the mark got their checkpoints, so many at most; how '
    'many. Null: a transaction from before the mark still runs, ask again.';

-- Who queues where. Those who wait for one row wait for its tuple lock, but for the first of
-- them, who waits for the transaction that has the row.
CREATE FUNCTION ledger_queues() RETURNS TABLE (account_id UUID, waiting BIGINT)
LANGUAGE sql AS $$
    SELECT b.account_id, count(*)
    FROM pg_locks AS l
    INNER JOIN account_balances AS b ON b.ctid = format('(%s,%s)', l.page, l.tuple)::TID
    WHERE l.locktype = 'tuple' AND l.relation = 'account_balances'::REGCLASS AND NOT l.granted
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY b.account_id ORDER BY count(*) DESC, b.account_id
$$;
COMMENT ON FUNCTION ledger_queues IS
    'Accounts on which transfers wait for each other at this moment, the longest queue first.';

CREATE VIEW audit.checkpoint_differs_from_its_entries AS
SELECT c.account_id, c.through_id
FROM (
    SELECT account_id, through_id, debits_pending, debits_posted, credits_pending,
        credits_posted, lag(through_id, 1, -1::BIGINT) OVER w AS since,
        lag(debits_pending, 1, 0::BIGINT) OVER w AS debits_pending_before,
        lag(debits_posted, 1, 0::BIGINT) OVER w AS debits_posted_before,
        lag(credits_pending, 1, 0::BIGINT) OVER w AS credits_pending_before,
        lag(credits_posted, 1, 0::BIGINT) OVER w AS credits_posted_before
    FROM balance_checkpoints
    WINDOW w AS (PARTITION BY account_id ORDER BY through_id)
) AS c
CROSS JOIN LATERAL (
    SELECT coalesce(sum(m.debits_pending), 0) AS debits_pending,
        coalesce(sum(m.debits_posted), 0) AS debits_posted,
        coalesce(sum(m.credits_pending), 0) AS credits_pending,
        coalesce(sum(m.credits_posted), 0) AS credits_posted
    FROM ledger_movements AS m
    WHERE m.account_id = c.account_id AND m.id > c.since AND m.id <= c.through_id
        AND NOT m.is_dated
) AS e
WHERE c.debits_pending <> c.debits_pending_before + e.debits_pending
    OR c.debits_posted <> c.debits_posted_before + e.debits_posted
    OR c.credits_pending <> c.credits_pending_before + e.credits_pending
    OR c.credits_posted <> c.credits_posted_before + e.credits_posted;
