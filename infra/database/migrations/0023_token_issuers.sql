-- Issuers that merchants bring: whose tokens act for a merchant besides our own.

CREATE TABLE token_issuers (
    issuer TEXT NOT NULL,
    audience TEXT NOT NULL,
    merchant_id UUID NOT NULL REFERENCES merchants (id),
    mode TEXT NOT NULL,
    jwks_url TEXT NOT NULL,
    scopes TEXT [] NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- An issuer may serve several merchants, told apart by the audience alone.
    PRIMARY KEY (issuer, audience),
    CONSTRAINT issuer_is_a_web_address CHECK (issuer ~ '^https?://' AND length(issuer) <= 255),
    CONSTRAINT audience_is_a_short_text CHECK (length(audience) BETWEEN 1 AND 255),
    CONSTRAINT mode_is_test_or_live CHECK (mode IN ('test', 'live')),
    CONSTRAINT keys_travel_encrypted_or_stay_on_the_machine CHECK (
        jwks_url ~ '^(https://|http://(127\.[0-9.]+|\[::1\])([:/?]|$))' AND length(jwks_url) <= 2048
    ),
    CONSTRAINT some_scope_is_granted CHECK (cardinality(scopes) > 0)
);
COMMENT ON TABLE token_issuers IS
    'A token of this issuer for this audience, signed by one of its keys, acts for the merchant.';
