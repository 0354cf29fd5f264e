-- Seals: what was recorded in some whole hours of one day, bound by a chain of hashes to all
-- that was sealed before, and signed by a key that this database does not have. They are made
-- in the background (ledger/seals); what each number in them means is in docs/ledger-seals.md.

CREATE TABLE ledger_seals (
    number BIGINT PRIMARY KEY,
    since TIMESTAMPTZ NOT NULL,
    until TIMESTAMPTZ NOT NULL,
    entries BIGINT NOT NULL,
    moved NUMERIC NOT NULL,
    previous BYTEA NOT NULL,
    head BYTEA NOT NULL,
    sealed_at TIMESTAMPTZ NOT NULL,
    key BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    CONSTRAINT seal_covers_whole_hours CHECK (
        since < until
        AND since = date_trunc('hour', since, 'UTC') AND until = date_trunc('hour', until, 'UTC')
    ),
    CONSTRAINT seal_covers_one_day_at_most CHECK (
        until <= date_trunc('day', since, 'UTC') + INTERVAL '24 hours'
    ),
    CONSTRAINT seal_has_three_digests CHECK (
        length(previous) = 32 AND length(head) = 32 AND length(hash) = 32
    )
);
CREATE UNIQUE INDEX seals_begin_once ON ledger_seals (since);

COMMENT ON COLUMN ledger_seals.since IS 'Recorded at or after; before "until".';
COMMENT ON COLUMN ledger_seals.moved IS 'The sum of what the entries moved, whatever the currency.';
COMMENT ON COLUMN ledger_seals.previous IS 'The hash of the seal before; zeros in the first.';
COMMENT ON COLUMN ledger_seals.head IS 'The chain''s last link: previous, then each record.';
COMMENT ON COLUMN ledger_seals.key IS 'SHA-256 of the public key (DER) that verifies the signature.';
COMMENT ON COLUMN ledger_seals.hash IS 'SHA-256 of the statement, which is what is signed.';

-- Which row was altered is told by these: they are part of the chain, too.
CREATE TABLE ledger_seal_records (
    seal BIGINT NOT NULL REFERENCES ledger_seals (number),
    position INTEGER NOT NULL,
    records BYTEA NOT NULL,
    PRIMARY KEY (seal, position),
    CONSTRAINT records_are_whole CHECK (length(records) > 0 AND length(records) % 40 = 0)
);
-- Digests do not compress.
ALTER TABLE ledger_seal_records ALTER COLUMN records SET STORAGE EXTERNAL;
COMMENT ON COLUMN ledger_seal_records.records IS
    'For each entry, in order: its number (8 bytes, big-endian) and SHA-256 of its line.';

CREATE FUNCTION ledger_seal_statement(p_seal ledger_seals) RETURNS TEXT
LANGUAGE sql STABLE AS $$
    SELECT format(
        E'PayNexus ledger seal, format 1\nnumber %s\nsince %s\nuntil %s\nentries %s\nmoved %s\n'
        'previous %s\nhead %s\nsealed_at %s\nkey %s\n',
        p_seal.number,
        to_char(p_seal.since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        to_char(p_seal.until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        p_seal.entries, p_seal.moved,
        encode(p_seal.previous, 'hex'), encode(p_seal.head, 'hex'),
        to_char(p_seal.sealed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        encode(p_seal.key, 'hex')
    )
$$;
COMMENT ON FUNCTION ledger_seal_statement IS 'What the signature is over.';

CREATE FUNCTION refuse_loose_seal() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number = 1 AND NEW.previous = decode(repeat('00', 32), 'hex') THEN
        RETURN NEW;
    END IF;
    PERFORM FROM ledger_seals
    WHERE number = NEW.number - 1 AND until = NEW.since AND hash = NEW.previous;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a seal follows the one before, without a gap' USING ERRCODE = 'PN023';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER seals_follow_each_other BEFORE INSERT ON ledger_seals
FOR EACH ROW EXECUTE FUNCTION refuse_loose_seal();

CREATE TRIGGER seals_are_immutable BEFORE UPDATE OR DELETE ON ledger_seals
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER seals_are_not_truncated BEFORE TRUNCATE ON ledger_seals
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER records_are_immutable BEFORE UPDATE OR DELETE ON ledger_seal_records
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER records_are_not_truncated BEFORE TRUNCATE ON ledger_seal_records
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An account's name is part of what is sealed with each of its entries.
CREATE TRIGGER account_keeps_its_name BEFORE UPDATE ON accounts
FOR EACH ROW WHEN (
    (old.id, old.type, old.normal_side, old.mode, old.currency, old.merchant_id)
    IS DISTINCT FROM
    (new.id, new.type, new.normal_side, new.mode, new.currency, new.merchant_id)
) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER accounts_stay BEFORE DELETE ON accounts
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE VIEW audit.seal_differs_from_its_statement AS
SELECT number AS seal, since, until
FROM ledger_seals AS s
WHERE hash <> sha256(convert_to(ledger_seal_statement(s), 'UTF8'));

CREATE VIEW audit.seal_does_not_follow_the_one_before AS
SELECT number AS seal, since, before_number, before_until
FROM (
    SELECT s.number, s.since, s.previous,
        lag(s.number) OVER in_order AS before_number,
        lag(s.until) OVER in_order AS before_until,
        lag(s.hash) OVER in_order AS before_hash
    FROM ledger_seals AS s
    WINDOW in_order AS (ORDER BY s.number)
) AS seals
WHERE (number, previous) IS DISTINCT FROM (
    coalesce(before_number, 0) + 1, coalesce(before_hash, decode(repeat('00', 32), 'hex'))
) OR since <> before_until;

CREATE VIEW audit.seal_has_not_a_record_for_each_entry AS
SELECT s.number AS seal, s.entries, coalesce(r.records, 0) AS records
FROM ledger_seals AS s
LEFT JOIN (
    SELECT seal, sum(length(records)) / 40 AS records FROM ledger_seal_records GROUP BY seal
) AS r ON r.seal = s.number
WHERE s.entries <> coalesce(r.records, 0);

-- Counts and sums, hour by hour in one pass over the entries: whatever came, went or grew since
-- its hour was sealed shows here. What was only altered is found by reading again (ledger/seals).
CREATE VIEW audit.sealed_entries_differ_from_their_seal AS
SELECT s.number AS seal, s.since, s.until, s.entries, s.moved,
    coalesce(f.entries, 0) AS entries_found, coalesce(f.moved, 0) AS moved_found
FROM ledger_seals AS s
FULL JOIN (
    SELECT h.seal, sum(e.entries) AS entries, sum(e.moved) AS moved
    FROM (
        -- An hour's numbers begin with a multiple of 3,600,000,000 microseconds * 1024.
        SELECT id / 3686400000000 AS hour, count(*) AS entries, sum(abs(delta)) AS moved
        FROM ledger_entries GROUP BY 1
    ) AS e
    LEFT JOIN (
        SELECT s.number AS seal, generate_series(
            ledger_entry_id_at(s.since) / 3686400000000,
            ledger_entry_id_at(s.until) / 3686400000000 - 1
        ) AS hour
        FROM ledger_seals AS s
    ) AS h ON h.hour = e.hour
    WHERE e.hour < (SELECT max(ledger_entry_id_at(until)) / 3686400000000 FROM ledger_seals)
    GROUP BY h.seal
) AS f ON f.seal = s.number
WHERE (s.entries, s.moved) IS DISTINCT FROM (coalesce(f.entries, 0), coalesce(f.moved, 0));
