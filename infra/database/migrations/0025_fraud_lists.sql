-- Lists of the platform and of merchants: what they hold, and what a payment meets on them.

CREATE TABLE fraud_lists (
    id UUID PRIMARY KEY,
    -- NULL: the platform's list, which holds for every merchant.
    merchant_id UUID REFERENCES merchants (id),
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    action TEXT NOT NULL,
    note TEXT NOT NULL,
    min_quality DOUBLE PRECISION,
    state TEXT NOT NULL DEFAULT 'active',
    author TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT list_is_named_once UNIQUE NULLS NOT DISTINCT (merchant_id, name),
    CONSTRAINT list_kind_is_known
    CHECK (kind IN ('fingerprint', 'email', 'ip', 'country', 'bin', 'name')),
    CONSTRAINT list_action_is_known CHECK (action IN ('allow', 'block', 'challenge', 'review')),
    CONSTRAINT list_state_is_known CHECK (state IN ('active', 'disabled')),
    CONSTRAINT names_alone_have_a_quality CHECK (
        (kind = 'name') = (min_quality IS NOT NULL) AND min_quality BETWEEN 50 AND 100
    )
);

-- An entry says when it was listed and when no more: what was listed at a moment can be asked.
CREATE TABLE fraud_list_entries (
    id UUID PRIMARY KEY,
    list_id UUID NOT NULL REFERENCES fraud_lists (id),
    -- In the normal form of paynexus/fraud/lists/normal.py.
    value TEXT NOT NULL,
    -- Of an IP: the same as `value`, to be searched.
    network CIDR,
    -- Of a name: the numbers under which it is found (paynexus/fraud/lists/names.py).
    blocks BIGINT [],
    note TEXT NOT NULL,
    author TEXT NOT NULL,
    -- Where it comes from: 'manual', 'csv', or OFAC's numbers.
    source TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    removed_at TIMESTAMPTZ,
    CONSTRAINT listed_value_is_not_empty CHECK (value <> '')
);
CREATE UNIQUE INDEX listed_once ON fraud_list_entries (list_id, value, source)
WHERE removed_at IS NULL;
CREATE INDEX fraud_list_entries_by_value ON fraud_list_entries (list_id, value);
CREATE INDEX fraud_list_entries_by_network ON fraud_list_entries (list_id, network)
WHERE network IS NOT NULL;
CREATE INDEX fraud_list_entries_of_list ON fraud_list_entries (list_id, id);
-- Blocks are other numbers for each merchant: nobody waits for another's names. Without a list of
-- what is yet to be indexed, a decision after an import is as fast as any.
CREATE INDEX fraud_list_entries_by_block ON fraud_list_entries USING gin (blocks)
WITH (fastupdate = off) WHERE blocks IS NOT NULL;

CREATE FUNCTION guard_list_entry() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.removed_at IS NOT NULL OR NEW.removed_at IS NULL
        OR (NEW.id, NEW.list_id, NEW.value, NEW.note, NEW.author, NEW.source, NEW.created_at)
        <> (OLD.id, OLD.list_id, OLD.value, OLD.note, OLD.author, OLD.source, OLD.created_at)
        OR (NEW.network, NEW.blocks, NEW.expires_at)
        IS DISTINCT FROM (OLD.network, OLD.blocks, OLD.expires_at) THEN
        RAISE EXCEPTION 'entries of lists are removed once, and never changed or deleted'
            USING ERRCODE = 'PN020';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER entries_of_lists_are_only_removed BEFORE UPDATE OR DELETE ON fraud_list_entries
FOR EACH ROW EXECUTE FUNCTION guard_list_entry();
CREATE TRIGGER entries_of_lists_are_not_truncated BEFORE TRUNCATE ON fraud_list_entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Each network that holds the address, from the address itself to the widest that is listed.
CREATE FUNCTION fraud_networks_of(p_ip INET) RETURNS CIDR []
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT array_agg(network(set_masklen(p_ip, bits)))
    FROM generate_series(
        CASE family(p_ip) WHEN 4 THEN 8 ELSE 16 END, CASE family(p_ip) WHEN 4 THEN 32 ELSE 128 END
    ) AS bits
$$;

CREATE FUNCTION fraud_list_candidates(
    p_merchant_id UUID, p_fingerprint TEXT, p_email TEXT [], p_ip INET, p_country TEXT,
    p_bin TEXT [], p_name BIGINT [], p_now TIMESTAMPTZ, p_list_id UUID DEFAULT NULL
) RETURNS JSONB
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    networks CIDR [] := fraud_networks_of(p_ip);
    exact JSONB;
    alike JSONB := '[]';
BEGIN
    -- List by list, so that each costs one descent of an index, however large the others are.
    SELECT coalesce(jsonb_agg(
        jsonb_build_object(
            'entry_id', f.id, 'kind', f.kind, 'action', f.action, 'note', f.note,
            'is_platform', f.is_platform, 'value', NULL, 'min_quality', NULL
        ) ORDER BY f.place, f.id
    ), '[]')
    INTO exact
    FROM (
        SELECT
            e.id, l.kind, l.action, l.note, l.merchant_id IS NULL AS is_platform,
            array_position(ARRAY['allow', 'block', 'challenge', 'review'], l.action) AS place
        FROM fraud_lists AS l
        CROSS JOIN LATERAL (
            SELECT v.id, v.created_at, v.expires_at, v.removed_at
            FROM fraud_list_entries AS v
            WHERE l.kind NOT IN ('ip', 'name') AND v.list_id = l.id AND v.value = ANY (
                CASE l.kind
                    WHEN 'fingerprint' THEN ARRAY[p_fingerprint]
                    WHEN 'email' THEN p_email
                    WHEN 'country' THEN ARRAY[p_country]
                    WHEN 'bin' THEN p_bin
                END
            )
            UNION ALL
            SELECT n.id, n.created_at, n.expires_at, n.removed_at
            FROM fraud_list_entries AS n
            WHERE l.kind = 'ip' AND n.list_id = l.id AND n.network = ANY (networks)
        ) AS e
        WHERE (l.merchant_id = p_merchant_id OR l.merchant_id IS NULL)
            AND l.state = 'active' AND (p_list_id IS NULL OR l.id = p_list_id)
            AND e.created_at <= p_now
            AND (e.expires_at IS NULL OR e.expires_at > p_now)
            AND (e.removed_at IS NULL OR e.removed_at > p_now)
        ORDER BY place, e.id
        LIMIT 100
    ) AS f;
    IF cardinality(p_name) > 0 THEN
        SELECT coalesce(jsonb_agg(
            jsonb_build_object(
                'entry_id', f.id, 'kind', 'name', 'action', f.action, 'note', f.note,
                'is_platform', f.is_platform, 'value', f.value, 'min_quality', f.min_quality
            ) ORDER BY f.common DESC, f.blocks, f.id
        ), '[]')
        INTO alike
        FROM (
            -- Materialized: by blocks first, whatever the planner thinks of lists.
            WITH met AS MATERIALIZED (
                SELECT v.id, v.list_id, v.value, v.blocks
                FROM fraud_list_entries AS v
                WHERE v.blocks && p_name AND v.blocks IS NOT NULL AND v.created_at <= p_now
                    AND (v.expires_at IS NULL OR v.expires_at > p_now)
                    AND (v.removed_at IS NULL OR v.removed_at > p_now)
                -- Only names made of the most frequent words alone meet so many.
                LIMIT 2000
            ), counted AS (
                SELECT m.id, count(*) AS common
                FROM met AS m
                CROSS JOIN LATERAL unnest(m.blocks) AS b
                WHERE b IN (SELECT unnest(p_name))
                GROUP BY m.id
            )
            SELECT
                m.id, m.value, l.action, l.note, l.min_quality,
                l.merchant_id IS NULL AS is_platform, cardinality(m.blocks) AS blocks, c.common
            FROM met AS m
            INNER JOIN counted AS c ON c.id = m.id
            INNER JOIN fraud_lists AS l ON l.id = m.list_id
            WHERE (l.merchant_id = p_merchant_id OR l.merchant_id IS NULL)
                AND l.state = 'active' AND (p_list_id IS NULL OR l.id = p_list_id)
            ORDER BY c.common DESC, blocks, m.id
            LIMIT 50
        ) AS f;
    END IF;
    RETURN exact || alike;
END
$$;
COMMENT ON FUNCTION fraud_list_candidates IS
    'The entries listed at p_now that the payment meets exactly, and of names the 50 that have '
    'most in common with its payer''s, to be compared closely (paynexus/fraud/lists/rules.py).';

-- Walks over past payments, because a list has changed: one at a time for each list.
CREATE TABLE fraud_rescreenings (
    id UUID PRIMARY KEY,
    list_id UUID NOT NULL REFERENCES fraud_lists (id),
    since TIMESTAMPTZ NOT NULL,
    -- Payments from then on met the list as it is.
    until TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    -- The last payment that was looked at.
    cursor UUID,
    examined INTEGER NOT NULL DEFAULT 0,
    hits INTEGER NOT NULL DEFAULT 0,
    -- The list has changed once more on the way: another walk follows.
    is_wanted_again BOOLEAN NOT NULL DEFAULT FALSE,
    finished_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX one_rescreening_at_a_time ON fraud_rescreenings (list_id)
WHERE finished_at IS NULL;
CREATE INDEX fraud_rescreenings_of_list ON fraud_rescreenings (list_id, id);

CREATE TABLE fraud_rescreening_hits (
    id UUID PRIMARY KEY,
    rescreening_id UUID NOT NULL REFERENCES fraud_rescreenings (id),
    list_id UUID NOT NULL,
    payment_id UUID NOT NULL,
    merchant_id UUID NOT NULL,
    mode TEXT NOT NULL,
    entry_id UUID NOT NULL,
    quality DOUBLE PRECISION,
    created_at TIMESTAMPTZ NOT NULL,
    -- A later walk says nothing that an earlier one has said.
    CONSTRAINT told_once UNIQUE (payment_id, entry_id)
);
CREATE INDEX fraud_rescreening_hits_of_list ON fraud_rescreening_hits (list_id, id);
CREATE INDEX fraud_rescreening_hits_of_rescreening ON fraud_rescreening_hits (rescreening_id, id);
