-- What becomes of a gateway's circuit is told as other facts are, though it belongs to no merchant.

ALTER TABLE events ALTER COLUMN merchant_id DROP NOT NULL;

CREATE FUNCTION announce_circuit(
    p_id UUID, p_type TEXT, p_mode TEXT, p_object_id TEXT, p_data JSONB
) RETURNS INTEGER
LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$
BEGIN
    -- A payment stands behind this: rather no event than a long wait for another's.
    -- No row stands for a gateway whose lock could order its events: its name does.
    PERFORM pg_advisory_xact_lock(hashtextextended(p_object_id, 0));
    RETURN append_event(p_id, 'gateways.events', p_type, p_mode, NULL, p_object_id, p_data);
END
$$;
COMMENT ON FUNCTION announce_circuit IS
    'The next event of this gateway''s circuit is on record; its sequence. That of the circuit in Redis would begin anew with it.';

-- Instead of a check, whose expression each payment would pay for.
CREATE VIEW audit.event_belongs_to_no_merchant AS
SELECT id AS event_id, source, type FROM events
WHERE (merchant_id IS NULL) <> (source = 'gateways.events');
