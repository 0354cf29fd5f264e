-- Notification: what merchants want to hear, what is on its way, and each attempt to tell them.

CREATE TABLE webhook_endpoints (
    id UUID PRIMARY KEY,
    merchant_id UUID NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL,
    url TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    -- Empty means every type.
    event_types TEXT [] NOT NULL DEFAULT '{}',
    status TEXT NOT NULL DEFAULT 'enabled',
    disabled_reason TEXT,
    -- Sealed by the application: this database never sees a secret.
    secret BYTEA NOT NULL,
    previous_secret BYTEA,
    previous_secret_expires_at TIMESTAMPTZ,
    -- Events from before this moment are not this endpoint's. It is the database's clock, as
    -- events.created_at is, so that the two compare.
    subscribed_since TIMESTAMPTZ NOT NULL DEFAULT now(),
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    deleted_at TIMESTAMPTZ,
    CONSTRAINT webhook_endpoint_mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT webhook_endpoint_url_is_short CHECK (length(url) <= 2048),
    CONSTRAINT webhook_endpoint_is_enabled_or_disabled CHECK (status IN ('enabled', 'disabled')),
    CONSTRAINT disabled_webhook_endpoint_has_a_reason
    CHECK ((status = 'disabled') = (disabled_reason IS NOT NULL)),
    CONSTRAINT webhook_endpoint_is_disabled_by_its_merchant_or_its_answer
    CHECK (disabled_reason IN ('merchant', 'gone')),
    CONSTRAINT deleted_webhook_endpoint_is_disabled
    CHECK (deleted_at IS NULL OR status = 'disabled'),
    CONSTRAINT previous_secret_expires
    CHECK ((previous_secret IS NULL) = (previous_secret_expires_at IS NULL))
);

CREATE INDEX webhook_endpoints_of_merchant ON webhook_endpoints (merchant_id, mode, id)
WHERE deleted_at IS NULL;

CREATE TABLE deliveries (
    id UUID PRIMARY KEY DEFAULT uuidv7(),
    event_id UUID NOT NULL REFERENCES events (id),
    endpoint_id UUID NOT NULL REFERENCES webhook_endpoints (id),
    merchant_id UUID NOT NULL,
    mode TEXT NOT NULL,
    event_type TEXT NOT NULL,
    object_id TEXT NOT NULL,
    sequence INT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    attempts INT NOT NULL DEFAULT 0,
    next_attempt_at TIMESTAMPTZ,
    -- A worker that died holds its delivery no longer than until here.
    claimed_until TIMESTAMPTZ,
    -- A message for it is in the queue; it need not be queued again before this.
    queued_until TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    resolved_at TIMESTAMPTZ,
    CONSTRAINT event_is_delivered_once_to_an_endpoint UNIQUE (event_id, endpoint_id),
    CONSTRAINT sequence_is_delivered_once_to_an_endpoint UNIQUE (object_id, endpoint_id, sequence),
    CONSTRAINT delivery_state_is_known
    CHECK (state IN ('pending', 'delivered', 'exhausted', 'canceled')),
    CONSTRAINT delivery_attempts_are_counted_from_zero CHECK (attempts >= 0),
    CONSTRAINT delivery_with_a_next_attempt_is_pending
    CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL)),
    CONSTRAINT resolved_delivery_is_not_pending
    CHECK ((state = 'pending') = (resolved_at IS NULL))
);

CREATE INDEX deliveries_that_are_due ON deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_of_merchant ON deliveries (merchant_id, mode, id);

CREATE TABLE delivery_attempts (
    delivery_id UUID NOT NULL REFERENCES deliveries (id),
    number INT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    -- Empty for an attempt that is under way, or whose worker died.
    finished_at TIMESTAMPTZ,
    status_code INT,
    error TEXT,
    duration_ms INT,
    response TEXT,
    PRIMARY KEY (delivery_id, number),
    CONSTRAINT delivery_attempt_is_numbered_from_one CHECK (number >= 1),
    CONSTRAINT delivery_attempt_keeps_a_short_response CHECK (length(response) <= 1024),
    CONSTRAINT delivery_attempt_keeps_a_short_error CHECK (length(error) <= 1024),
    CONSTRAINT finished_delivery_attempt_has_a_status_or_an_error
    CHECK ((finished_at IS NOT NULL) = (status_code IS NOT NULL OR error IS NOT NULL))
);

-- A delivery changes along its table of states only: it is resolved once, and may be asked for
-- again by hand.
CREATE FUNCTION guard_delivery() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND 'pending' NOT IN (OLD.state, NEW.state) THEN
        RAISE EXCEPTION 'a % delivery can''t become %', OLD.state, NEW.state
        USING ERRCODE = 'PN010';
    END IF;
    IF NEW.attempts NOT IN (OLD.attempts, OLD.attempts + 1) THEN
        RAISE EXCEPTION 'the attempts of a delivery are counted one by one'
        USING ERRCODE = 'PN010';
    END IF;
    IF (NEW.id, NEW.event_id, NEW.endpoint_id, NEW.object_id, NEW.sequence)
    IS DISTINCT FROM (OLD.id, OLD.event_id, OLD.endpoint_id, OLD.object_id, OLD.sequence) THEN
        RAISE EXCEPTION 'what a delivery delivers, and to whom, never changes'
        USING ERRCODE = 'PN010';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER delivery_changes_along_its_states BEFORE UPDATE ON deliveries
FOR EACH ROW EXECUTE FUNCTION guard_delivery();

CREATE FUNCTION guard_delivery_attempt() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.finished_at IS NOT NULL
    OR (NEW.delivery_id, NEW.number, NEW.started_at)
    IS DISTINCT FROM (OLD.delivery_id, OLD.number, OLD.started_at) THEN
        RAISE EXCEPTION 'a delivery attempt is recorded once' USING ERRCODE = 'PN010';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER delivery_attempt_is_recorded_once BEFORE UPDATE ON delivery_attempts
FOR EACH ROW EXECUTE FUNCTION guard_delivery_attempt();

CREATE VIEW audit.delivered_delivery_has_no_successful_attempt AS
SELECT deliveries.id AS delivery_id
FROM deliveries
WHERE
    deliveries.state = 'delivered'
    AND NOT EXISTS (
        SELECT FROM delivery_attempts
        WHERE
            delivery_attempts.delivery_id = deliveries.id
            AND delivery_attempts.status_code BETWEEN 200 AND 299
    );

CREATE VIEW audit.delivery_does_not_count_its_attempts AS
SELECT
    deliveries.id AS delivery_id,
    deliveries.attempts AS counted,
    recorded.attempts AS recorded
FROM deliveries
CROSS JOIN LATERAL (
    SELECT count(*) AS attempts FROM delivery_attempts
    WHERE delivery_attempts.delivery_id = deliveries.id
) AS recorded
WHERE deliveries.attempts <> recorded.attempts;

CREATE VIEW audit.delivery_waits_for_a_disabled_endpoint AS
SELECT
    deliveries.id AS delivery_id,
    deliveries.endpoint_id
FROM deliveries
INNER JOIN webhook_endpoints ON deliveries.endpoint_id = webhook_endpoints.id
WHERE deliveries.state = 'pending' AND webhook_endpoints.status = 'disabled';

CREATE VIEW audit.delivery_crosses_merchants_or_modes AS
SELECT deliveries.id AS delivery_id
FROM deliveries
INNER JOIN webhook_endpoints ON deliveries.endpoint_id = webhook_endpoints.id
INNER JOIN events ON deliveries.event_id = events.id
WHERE
    (deliveries.merchant_id, deliveries.mode)
    IS DISTINCT FROM (webhook_endpoints.merchant_id, webhook_endpoints.mode)
    OR (deliveries.merchant_id, deliveries.mode) IS DISTINCT FROM (events.merchant_id, events.mode);
