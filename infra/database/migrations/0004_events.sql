-- Events are committed with the facts they describe and leave through the write-ahead log.

CREATE DOMAIN topic AS TEXT CONSTRAINT source_is_a_topic CHECK (
    VALUE IN (
        'payments.events', 'ledger.changes', 'settlements.events', 'fraud.alerts', 'gateways.events'
    )
);

CREATE TABLE events (
    id UUID PRIMARY KEY,
    source topic NOT NULL,
    type TEXT NOT NULL,
    mode TEXT NOT NULL,
    merchant_id UUID NOT NULL,
    object_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    data JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT one_event_per_sequence UNIQUE (object_id, sequence)
);
CREATE INDEX events_of_merchant ON events (merchant_id, mode, id);

CREATE TRIGGER events_are_immutable BEFORE UPDATE OR DELETE ON events
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_are_not_truncated BEFORE TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION append_event(
    p_id UUID, p_source TEXT, p_type TEXT, p_mode TEXT, p_merchant_id UUID, p_object_id TEXT,
    p_data JSONB, p_at TIMESTAMPTZ DEFAULT clock_timestamp()
) RETURNS INTEGER
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    next_sequence INTEGER;
BEGIN
    SELECT coalesce(max(e.sequence), 0) + 1 INTO next_sequence
    FROM events AS e WHERE e.object_id = p_object_id;
    INSERT INTO events (
        id, source, type, mode, merchant_id, object_id, sequence, data, created_at
    ) VALUES (
        p_id, p_source, p_type, p_mode, p_merchant_id, p_object_id, next_sequence, p_data, p_at
    );
    RETURN next_sequence;
END
$$;
COMMENT ON FUNCTION append_event IS
    'Appends the object''s next event; the caller holds the object''s row lock. Its time is that '
    'of this call: a transaction that began early and waited for the lock is not told earlier.';

-- Only the columns that are told: what does not travel is not decoded.
CREATE PUBLICATION paynexus_changes FOR TABLE
events,
transfers (
    id, state, pending_id, is_final, kind, debit_account_id, credit_account_id, debit_slot,
    credit_slot, amount, released, currency, mode, merchant_id, object_id, transaction_id, sequence,
    reverses, effective_at, created_at
),
ledger_entries (transfer_id, account_id, balance_after)
WITH (publish = 'insert', publish_via_partition_root = true);

CREATE VIEW audit.event_sequence_has_a_gap AS
SELECT object_id, max(sequence) AS last, count(*) AS events
FROM events GROUP BY object_id HAVING max(sequence) <> count(*);
