-- Unknown is an empty text or list; NULL only where a zero would be a value.

-- The order key narrows by day, then subject, then client: "this subject today" and "the last hour" read little. A token
-- lives for hours and belongs to one subject, so its uses lie together and the bloom filters find them. Rows leave a
-- month at a time, when the last of its rows may go.
CREATE TABLE IF NOT EXISTS {{database}}.{{local:access_events}}
(
    event_id String COMMENT 'Function of the request: the same request delivered twice has the same id' CODEC(ZSTD(1)),
    time DateTime64(3, 'UTC') COMMENT 'When the gateway saw the request' CODEC(Delta(8), ZSTD(1)),
    iss LowCardinality(String) COMMENT 'Issuer (JWT `iss`)',
    sub String COMMENT 'Subject (JWT `sub`)' CODEC(ZSTD(1)),
    client_id LowCardinality(String) COMMENT 'Client the token was issued to',
    sid String COMMENT 'Session at the authorization server' CODEC(ZSTD(1)),
    jti String COMMENT 'Id of the token (JWT `jti`)' CODEC(ZSTD(1)),
    token_hash String COMMENT 'base64url SHA-256 of the token, computed as the `ath` of RFC 9449. The token itself is nowhere' CODEC(ZSTD(1)),
    ip String COMMENT 'Address that counts: trusted hops followed, IPv4-mapped IPv6 as IPv4' CODEC(ZSTD(1)),
    country LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2 country of the address',
    city LowCardinality(String) COMMENT 'City of the address',
    latitude Nullable(Float64) COMMENT 'Latitude in degrees',
    longitude Nullable(Float64) COMMENT 'Longitude in degrees',
    accuracy_km Nullable(Float64) COMMENT 'Radius in km within which the address is said to be',
    asn UInt32 COMMENT 'Autonomous system of the address; 0 where unknown',
    as_org LowCardinality(String) COMMENT 'Name of the autonomous system',
    network LowCardinality(String) COMMENT 'How the address reaches the Internet: residential, mobile, hosting, anonymizer, private, unknown',
    ua_family LowCardinality(String) COMMENT 'User agent family, without version',
    ua_os LowCardinality(String) COMMENT 'Operating system of the user agent',
    geo_build LowCardinality(String) COMMENT 'Build of the geo database that placed the address',
    asn_build LowCardinality(String) COMMENT 'Build of the network database',
    client_ip String COMMENT 'Address of the peer the gateway accepted the connection from' CODEC(ZSTD(1)),
    forwarded_for Array(String) COMMENT 'The X-Forwarded-For chain, client first' CODEC(ZSTD(1)),
    request_id String COMMENT 'The gateway''s id of the request' CODEC(ZSTD(1)),
    gateway LowCardinality(String) COMMENT 'Gateway that logged the request',
    host LowCardinality(String) COMMENT 'Host the request was for',
    method LowCardinality(String) COMMENT 'HTTP method',
    path String COMMENT 'Path without query' CODEC(ZSTD(1)),
    route LowCardinality(String) COMMENT 'Route template, such as `/orders/{id}`',
    status UInt16 COMMENT 'HTTP status the gateway answered; 0 where not logged',
    user_agent String COMMENT 'User-Agent header' CODEC(ZSTD(1)),
    ja4 LowCardinality(String) COMMENT 'JA4 TLS client fingerprint',
    bytes_out Nullable(UInt64) COMMENT 'Bytes of the answer' CODEC(ZSTD(1)),
    duration_ms Nullable(Float64) COMMENT 'Time the request took, in milliseconds',
    scope Array(LowCardinality(String)) COMMENT 'Scopes of the token',
    aud Array(LowCardinality(String)) COMMENT 'Audience of the token',
    iat Nullable(DateTime64(3, 'UTC')) COMMENT 'When the token was issued' CODEC(Delta(8), ZSTD(1)),
    exp Nullable(DateTime64(3, 'UTC')) COMMENT 'When the token expires' CODEC(Delta(8), ZSTD(1)),
    nbf Nullable(DateTime64(3, 'UTC')) COMMENT 'Before when the token is not valid' CODEC(Delta(8), ZSTD(1)),
    auth_time Nullable(DateTime64(3, 'UTC')) COMMENT 'When the subject authenticated' CODEC(Delta(8), ZSTD(1)),
    acr LowCardinality(String) COMMENT 'Authentication context class',
    amr Array(LowCardinality(String)) COMMENT 'Authentication methods',
    act String COMMENT 'Actor of a delegated token (RFC 8693 section 4.1), JSON' CODEC(ZSTD(1)),
    cnf String COMMENT 'Key binding of the token (RFC 7800), JSON' CODEC(ZSTD(1)),
    grant_type LowCardinality(String) COMMENT 'Grant type the token came from',
    token_type LowCardinality(String) COMMENT 'How the caller presented the token: Bearer, DPoP or N_A',
    dpop String COMMENT 'The DPoP proof presented (RFC 9449), JSON' CODEC(ZSTD(1)),
    mtls String COMMENT 'The client certificate presented (RFC 8705), JSON' CODEC(ZSTD(1)),
    extra String COMMENT 'What the log line said besides, JSON' CODEC(ZSTD(1)),
    source LowCardinality(String) COMMENT 'Where it was read, such as `kafka:gateway-access`',
    position String COMMENT 'Where in the source it stood: topic/partition/offset, or a line number' CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'When it arrived; retention counts from here' CODEC(Delta(8), ZSTD(1)),
    INDEX by_token_hash token_hash TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_jti jti TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_ip ip TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (toDate(time), sub, client_id, time, event_id)
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
COMMENT 'Every request a gateway logged. A request delivered twice collapses to one row: read with FINAL';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.access_events AS {{database}}.access_events_local
ENGINE = Distributed('{{cluster}}', {{database}}, access_events_local, cityHash64(multiIf(sub != '', sub, client_id != '', client_id, jti != '', jti, token_hash)))
COMMENT 'Every request a gateway logged. A request delivered twice collapses to one row: read with FINAL';

CREATE TABLE IF NOT EXISTS {{database}}.{{local:authorization_events}}
(
    event_id String COMMENT 'Function of the content: the same event delivered twice has the same id' CODEC(ZSTD(1)),
    time DateTime64(3, 'UTC') COMMENT 'When the authorization server did it' CODEC(Delta(8), ZSTD(1)),
    type LowCardinality(String) COMMENT 'What it did, such as token_issued',
    iss LowCardinality(String) COMMENT 'Issuer (JWT `iss`)',
    sub String COMMENT 'Subject (JWT `sub`)' CODEC(ZSTD(1)),
    client_id LowCardinality(String) COMMENT 'Client the token was issued to',
    sid String COMMENT 'Session at the authorization server' CODEC(ZSTD(1)),
    jti String COMMENT 'Id of the token (JWT `jti`)' CODEC(ZSTD(1)),
    token_hash String COMMENT 'base64url SHA-256 of the token, computed as the `ath` of RFC 9449. The token itself is nowhere' CODEC(ZSTD(1)),
    refresh_token_hash String COMMENT 'base64url SHA-256 of the refresh token' CODEC(ZSTD(1)),
    family_id String COMMENT 'Refresh token family: all tokens descended from one authorization' CODEC(ZSTD(1)),
    scope Array(LowCardinality(String)) COMMENT 'Scopes granted',
    requested_scope Array(LowCardinality(String)) COMMENT 'Scopes asked for',
    grant_type LowCardinality(String) COMMENT 'Grant type used',
    client_ip String COMMENT 'Address the request came from' CODEC(ZSTD(1)),
    exp Nullable(DateTime64(3, 'UTC')) COMMENT 'When the token expires' CODEC(Delta(8), ZSTD(1)),
    actor LowCardinality(String) COMMENT 'Who did it: an administrator, a policy, the user',
    reason String COMMENT 'Why' CODEC(ZSTD(1)),
    previous_jti String COMMENT 'Of a refresh: the access token it superseded' CODEC(ZSTD(1)),
    extra String COMMENT 'What the log line said besides, JSON' CODEC(ZSTD(1)),
    source LowCardinality(String) COMMENT 'Where it was read, such as `kafka:gateway-access`',
    position String COMMENT 'Where in the source it stood: topic/partition/offset, or a line number' CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'When it arrived; retention counts from here' CODEC(Delta(8), ZSTD(1)),
    INDEX by_token_hash token_hash TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_jti jti TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (toDate(time), sub, client_id, time, event_id)
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
COMMENT 'What authorization servers did: issued, refreshed, revoked, consented, disabled. Read with FINAL';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.authorization_events AS {{database}}.authorization_events_local
ENGINE = Distributed('{{cluster}}', {{database}}, authorization_events_local, cityHash64(multiIf(sub != '', sub, client_id != '', client_id, jti != '', jti, token_hash)))
COMMENT 'What authorization servers did: issued, refreshed, revoked, consented, disabled. Read with FINAL';
