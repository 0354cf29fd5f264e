-- Who takes payments: users, merchants, their fees, bank accounts and API clients.

CREATE SCHEMA audit;
COMMENT ON SCHEMA audit IS
    'One view per invariant, named after the broken rule; every row in one is a violation.';

CREATE TABLE users (
    id UUID PRIMARY KEY,
    email TEXT UNIQUE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now()
);

CREATE TABLE merchants (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL,
    owner_user_id UUID REFERENCES users (id),
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now(),
    country CHAR(2) NOT NULL DEFAULT 'DE',
    city TEXT NOT NULL DEFAULT 'Berlin',
    -- What the merchant sells (ISO 18245); 5999 is retail of no special kind.
    category_code CHAR(4) NOT NULL DEFAULT '5999',
    configuration JSONB NOT NULL DEFAULT '{}'
);

CREATE TABLE merchant_fees (
    merchant_id UUID NOT NULL REFERENCES merchants (id),
    currency CHAR(3) NOT NULL,
    basis_points INTEGER NOT NULL,
    fixed_minor BIGINT NOT NULL,
    PRIMARY KEY (merchant_id, currency),
    CONSTRAINT basis_points_are_a_share CHECK (basis_points BETWEEN 0 AND 10000),
    CONSTRAINT fixed_fee_is_not_negative CHECK (fixed_minor >= 0)
);

CREATE TABLE payout_accounts (
    merchant_id UUID NOT NULL REFERENCES merchants (id),
    currency CHAR(3) NOT NULL,
    holder TEXT NOT NULL,
    iban TEXT NOT NULL,
    bic TEXT,
    address JSONB,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, currency),
    CONSTRAINT payout_address_has_town_and_country CHECK (address ?& ARRAY['town', 'country'])
);

CREATE TABLE clients (
    id TEXT PRIMARY KEY,
    merchant_id UUID NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    -- The secret before, while it is still honoured.
    former_secret_hash BYTEA,
    former_expires_at TIMESTAMPTZ,
    name TEXT NOT NULL DEFAULT '',
    -- The API's version of the day on which the client was made: its answers go on looking so.
    api_version TEXT NOT NULL,
    scopes TEXT [] NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    revoked_at TIMESTAMPTZ,
    CONSTRAINT mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT a_former_secret_has_an_end CHECK (
        (former_secret_hash IS NULL) = (former_expires_at IS NULL)
    )
);
CREATE INDEX clients_of_merchant ON clients (merchant_id);

-- Monthly partitions are ranges of UUIDv7 keys: the key's first 48 bits are milliseconds
-- since 1970 (RFC 9562, 5.7), so a month of time is a range of keys and the key stays
-- unique across partitions.
CREATE FUNCTION uuid_at(p_at TIMESTAMPTZ) RETURNS UUID
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT (lpad(to_hex((extract(epoch FROM p_at) * 1000)::BIGINT), 12, '0')
        || '00000000000000000000')::UUID
$$;

-- A statement that names a partition fires that partition's statement triggers alone, and
-- partitions inherit row triggers only: without this, a rule would have a back door a month.
CREATE FUNCTION guard_partition(p_table TEXT, p_partition TEXT) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    definition TEXT;
BEGIN
    FOR definition IN
        SELECT pg_get_triggerdef(t.oid, TRUE) FROM pg_trigger AS t
        WHERE t.tgrelid = p_table::REGCLASS AND NOT t.tgisinternal AND t.tgtype & 1 = 0
    LOOP
        EXECUTE replace(definition, ' ON ' || p_table, format(' ON %I', p_partition));
    END LOOP;
END
$$;
COMMENT ON FUNCTION guard_partition IS
    'Statements that name the partition itself meet the triggers of its table.';

-- Entries of the ledger are numbered by their time instead (0002_ledger.sql).
CREATE FUNCTION partition_bound(p_table TEXT, p_at TIMESTAMPTZ) RETURNS TEXT
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE WHEN p_table = 'ledger_entries' THEN ledger_entry_id_at(p_at)::TEXT
        ELSE uuid_at(p_at)::TEXT END;
END
$$;

CREATE FUNCTION make_partitions(p_table TEXT, p_from DATE, p_months INTEGER) RETURNS INTEGER
LANGUAGE plpgsql AS $$
DECLARE
    month_start DATE;
    partition TEXT;
    made INTEGER := 0;
BEGIN
    FOR i IN 0..p_months - 1 LOOP
        month_start := (date_trunc('month', p_from) + make_interval(months => i))::DATE;
        partition := p_table || to_char(month_start, '_YYYY_MM');
        CONTINUE WHEN to_regclass(partition) IS NOT NULL;
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L) WITH (fillfactor = %s)',
            partition, p_table,
            partition_bound(p_table, month_start::TIMESTAMP AT TIME ZONE 'UTC'),
            partition_bound(p_table, (month_start + INTERVAL '1 month')::TIMESTAMP AT TIME ZONE 'UTC'),
            -- Payments change: their pages keep room for it, so that no index has to know.
            CASE WHEN p_table = 'transactions' THEN 70 ELSE 100 END
        );
        PERFORM guard_partition(p_table, partition);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION make_partitions IS
    'Makes the monthly partitions that are missing, from the month of p_from on.';

CREATE FUNCTION refuse_change() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are never changed or deleted', TG_TABLE_NAME
        USING ERRCODE = 'PN020';
END
$$;
