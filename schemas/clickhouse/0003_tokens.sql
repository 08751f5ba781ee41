-- The ledger of tokens. `token_states` holds aggregate states that merge in any order and do not change when an event
-- comes twice: minima, maxima, sets, and a distinct count of event ids (uniqCombined64: exact for small numbers, within
-- about 0.5 % beyond, at most 96 KiB a token). The view `tokens` finalises them and adds recalls.
--
-- A token is known by its `jti` (with its issuer), else by its hash, as detectors key it. Recalls are joined when read
-- instead of materialised: an action knows a token by either id, and there are few of them.

CREATE TABLE IF NOT EXISTS {{database}}.{{local:token_states}}
(
    token_id String COMMENT '`jti` of the token, else its hash',
    token_iss String COMMENT 'Issuer where the id is a `jti`, which is only unique there; else empty',
    iss SimpleAggregateFunction(max, String) COMMENT 'Issuer',
    sub SimpleAggregateFunction(max, String) COMMENT 'Subject',
    client_id SimpleAggregateFunction(max, String) COMMENT 'Client',
    sid SimpleAggregateFunction(max, String) COMMENT 'Session',
    jti SimpleAggregateFunction(max, String) COMMENT 'Id of the token',
    token_hash SimpleAggregateFunction(max, String) COMMENT 'base64url SHA-256 of the token',
    issued_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'When it was issued: `iat`, or the event of the authorization server',
    expires_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))) COMMENT 'When it expires',
    revoked_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'When the authorization server said it was revoked',
    first_used SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'First use',
    last_used SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))) COMMENT 'Last use',
    uses AggregateFunction(uniqCombined64, String) COMMENT 'Event ids of its uses; counts each id once, however often it was delivered',
    ips AggregateFunction(uniqCombined64, String) COMMENT 'Addresses it was used from',
    countries AggregateFunction(groupUniqArray(64), String) COMMENT 'Countries it was used from',
    asns AggregateFunction(groupUniqArray(64), UInt32) COMMENT 'Autonomous systems it was used from',
    ua_families AggregateFunction(groupUniqArray(64), String) COMMENT 'User agent families it was used with',
    last_use AggregateFunction(argMax, Tuple(ip String, country String, city String, asn UInt32, network String, user_agent String), Tuple(DateTime64(3, 'UTC'), String)) COMMENT 'Where the last use came from',
    scopes AggregateFunction(groupUniqArrayArray(256), Array(String)) COMMENT 'Scopes it carried',
    routes AggregateFunction(groupUniqArray(32), String) COMMENT 'Some of the routes it was used on',
    seen SimpleAggregateFunction(max, DateTime('UTC')) COMMENT 'When anything of it last arrived; retention counts from here',
    INDEX by_token_hash token_hash TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = AggregatingMergeTree
ORDER BY (token_id, token_iss)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'The ledger of tokens as aggregate states; read the view `tokens`';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.token_states AS {{database}}.token_states_local
ENGINE = Distributed('{{cluster}}', {{database}}, token_states_local, cityHash64(token_id))
COMMENT 'The ledger of tokens as aggregate states; read the view `tokens`';

CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.token_states_of_uses TO {{database}}.{{local:token_states}}
(
    token_id String COMMENT '`jti` of the token, else its hash',
    token_iss String COMMENT 'Issuer where the id is a `jti`, which is only unique there; else empty',
    iss SimpleAggregateFunction(max, String) COMMENT 'Issuer',
    sub SimpleAggregateFunction(max, String) COMMENT 'Subject',
    client_id SimpleAggregateFunction(max, String) COMMENT 'Client',
    sid SimpleAggregateFunction(max, String) COMMENT 'Session',
    jti SimpleAggregateFunction(max, String) COMMENT 'Id of the token',
    token_hash SimpleAggregateFunction(max, String) COMMENT 'base64url SHA-256 of the token',
    issued_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'When it was issued: `iat`, or the event of the authorization server',
    expires_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))) COMMENT 'When it expires',
    first_used SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'First use',
    last_used SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))) COMMENT 'Last use',
    uses AggregateFunction(uniqCombined64, String) COMMENT 'Event ids of its uses; counts each id once, however often it was delivered',
    ips AggregateFunction(uniqCombined64, String) COMMENT 'Addresses it was used from',
    countries AggregateFunction(groupUniqArray(64), String) COMMENT 'Countries it was used from',
    asns AggregateFunction(groupUniqArray(64), UInt32) COMMENT 'Autonomous systems it was used from',
    ua_families AggregateFunction(groupUniqArray(64), String) COMMENT 'User agent families it was used with',
    last_use AggregateFunction(argMax, Tuple(ip String, country String, city String, asn UInt32, network String, user_agent String), Tuple(DateTime64(3, 'UTC'), String)) COMMENT 'Where the last use came from',
    scopes AggregateFunction(groupUniqArrayArray(256), Array(String)) COMMENT 'Scopes it carried',
    routes AggregateFunction(groupUniqArray(32), String) COMMENT 'Some of the routes it was used on',
    seen SimpleAggregateFunction(max, DateTime('UTC')) COMMENT 'When anything of it last arrived; retention counts from here'
)
AS SELECT
    if(e.jti != '', e.jti, e.token_hash) AS token_id,
    if(e.jti != '', toString(e.iss), '') AS token_iss,
    max(toString(e.iss)) AS iss,
    max(e.sub) AS sub,
    max(toString(e.client_id)) AS client_id,
    max(e.sid) AS sid,
    max(e.jti) AS jti,
    max(e.token_hash) AS token_hash,
    min(e.iat) AS issued_at,
    max(e.exp) AS expires_at,
    min(toNullable(e.time)) AS first_used,
    max(toNullable(e.time)) AS last_used,
    uniqCombined64State(e.event_id) AS uses,
    uniqCombined64State(e.ip) AS ips,
    groupUniqArrayStateIf(64)(toString(e.country), e.country != '') AS countries,
    groupUniqArrayStateIf(64)(e.asn, e.asn != 0) AS asns,
    groupUniqArrayStateIf(64)(toString(e.ua_family), e.ua_family != '') AS ua_families,
    argMaxState(CAST((e.ip, e.country, e.city, e.asn, e.network, e.user_agent), 'Tuple(ip String, country String, city String, asn UInt32, network String, user_agent String)'), (e.time, e.event_id)) AS last_use,
    groupUniqArrayArrayState(256)(CAST(e.scope, 'Array(String)')) AS scopes,
    groupUniqArrayStateIf(32)(toString(e.route), e.route != '') AS routes,
    max(toDateTime(e.received_at, 'UTC')) AS seen
FROM {{database}}.{{local:access_events}} AS e
WHERE e.jti != '' OR e.token_hash != ''
GROUP BY token_id, token_iss
COMMENT 'Brings uses of tokens into the ledger';

CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.token_states_of_grants TO {{database}}.{{local:token_states}}
(
    token_id String COMMENT '`jti` of the token, else its hash',
    token_iss String COMMENT 'Issuer where the id is a `jti`, which is only unique there; else empty',
    iss SimpleAggregateFunction(max, String) COMMENT 'Issuer',
    sub SimpleAggregateFunction(max, String) COMMENT 'Subject',
    client_id SimpleAggregateFunction(max, String) COMMENT 'Client',
    sid SimpleAggregateFunction(max, String) COMMENT 'Session',
    jti SimpleAggregateFunction(max, String) COMMENT 'Id of the token',
    token_hash SimpleAggregateFunction(max, String) COMMENT 'base64url SHA-256 of the token',
    issued_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'When it was issued: `iat`, or the event of the authorization server',
    expires_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))) COMMENT 'When it expires',
    revoked_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'When the authorization server said it was revoked',
    scopes AggregateFunction(groupUniqArrayArray(256), Array(String)) COMMENT 'Scopes it carried',
    seen SimpleAggregateFunction(max, DateTime('UTC')) COMMENT 'When anything of it last arrived; retention counts from here'
)
AS SELECT
    if(e.jti != '', e.jti, e.token_hash) AS token_id,
    if(e.jti != '', toString(e.iss), '') AS token_iss,
    max(toString(e.iss)) AS iss,
    max(e.sub) AS sub,
    max(toString(e.client_id)) AS client_id,
    max(e.sid) AS sid,
    max(e.jti) AS jti,
    max(e.token_hash) AS token_hash,
    minIf(toNullable(e.time), e.type IN ('token_issued', 'token_refreshed')) AS issued_at,
    max(e.exp) AS expires_at,
    minIf(toNullable(e.time), e.type = 'token_revoked') AS revoked_at,
    groupUniqArrayArrayState(256)(CAST(e.scope, 'Array(String)')) AS scopes,
    max(toDateTime(e.received_at, 'UTC')) AS seen
FROM {{database}}.{{local:authorization_events}} AS e
WHERE e.type IN ('token_issued', 'token_refreshed', 'token_revoked') AND (e.jti != '' OR e.token_hash != '')
GROUP BY token_id, token_iss
COMMENT 'Brings issue and revocation of tokens into the ledger';

CREATE VIEW IF NOT EXISTS {{database}}.tokens
(
    token_id String COMMENT '`jti` of the token, else its hash',
    iss String COMMENT 'Issuer',
    sub String COMMENT 'Subject',
    client_id String COMMENT 'Client',
    sid String COMMENT 'Session',
    jti String COMMENT 'Id of the token',
    token_hash String COMMENT 'base64url SHA-256 of the token',
    state String COMMENT 'live, expired, revoked (the authorization server said so) or recalled (we proved it)',
    issued_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was issued, as far as known',
    expires_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it expires',
    first_used Nullable(DateTime64(3, 'UTC')) COMMENT 'First use',
    last_used Nullable(DateTime64(3, 'UTC')) COMMENT 'Last use',
    uses UInt64 COMMENT 'Requests it was used for',
    ips UInt64 COMMENT 'Number of addresses it was used from',
    countries Array(String) COMMENT 'Countries it was used from',
    asns Array(UInt32) COMMENT 'Autonomous systems it was used from',
    ua_families Array(String) COMMENT 'User agent families it was used with',
    last_ip String COMMENT 'Address of the last use',
    last_country String COMMENT 'Country of the last use',
    last_city String COMMENT 'City of the last use',
    last_asn UInt32 COMMENT 'Autonomous system of the last use; 0 where unknown',
    last_network String COMMENT 'Network class of the last use',
    last_user_agent String COMMENT 'User-Agent header of the last use',
    scopes Array(String) COMMENT 'Scopes it carried',
    routes Array(String) COMMENT 'Some of the routes it was used on',
    revoked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the authorization server said it was revoked',
    recalled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When its recall was asked',
    recall_state String COMMENT 'pending, accepted, confirmed or failed; empty where no recall was asked',
    recall_updated_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the recall last changed state'
)
AS WITH recalls AS
(
    SELECT
        id,
        min(requested_at) AS asked_at,
        argMax(toString(state), version) AS state,
        argMax(updated_at, version) AS changed_at
    FROM
    (
        SELECT requested_at, state, version, updated_at, arrayJoin(arrayDistinct([value, token_hash])) AS id
        FROM {{database}}.actions FINAL
        WHERE handle = 'token' AND mode = 'enforce'
    )
    WHERE id != ''
    GROUP BY id
),
ledger AS
(
    SELECT
        token_id,
        token_iss,
        max(iss) AS iss,
        max(sub) AS sub,
        max(client_id) AS client_id,
        max(sid) AS sid,
        max(jti) AS jti,
        max(token_hash) AS token_hash,
        min(issued_at) AS issued_at,
        max(expires_at) AS expires_at,
        min(revoked_at) AS revoked_at,
        min(first_used) AS first_used,
        max(last_used) AS last_used,
        uniqCombined64Merge(uses) AS uses,
        uniqCombined64Merge(ips) AS ips,
        arraySort(groupUniqArrayMerge(64)(countries)) AS countries,
        arraySort(groupUniqArrayMerge(64)(asns)) AS asns,
        arraySort(groupUniqArrayMerge(64)(ua_families)) AS ua_families,
        argMaxMerge(last_use) AS last_use,
        arraySort(groupUniqArrayArrayMerge(256)(scopes)) AS scopes,
        arraySort(groupUniqArrayMerge(32)(routes)) AS routes
    FROM {{database}}.token_states
    GROUP BY token_id, token_iss
)
SELECT
    l.token_id AS token_id,
    l.iss AS iss,
    l.sub AS sub,
    l.client_id AS client_id,
    l.sid AS sid,
    l.jti AS jti,
    l.token_hash AS token_hash,
    multiIf(recall_state = 'confirmed', 'recalled',
            l.revoked_at IS NOT NULL, 'revoked',
            l.expires_at <= now64(3), 'expired',
            'live') AS state,
    l.issued_at AS issued_at,
    l.expires_at AS expires_at,
    l.first_used AS first_used,
    l.last_used AS last_used,
    l.uses AS uses,
    l.ips AS ips,
    l.countries AS countries,
    l.asns AS asns,
    l.ua_families AS ua_families,
    l.last_use.ip AS last_ip,
    l.last_use.country AS last_country,
    l.last_use.city AS last_city,
    l.last_use.asn AS last_asn,
    l.last_use.network AS last_network,
    l.last_use.user_agent AS last_user_agent,
    l.scopes AS scopes,
    l.routes AS routes,
    l.revoked_at AS revoked_at,
    if(by_id.id != '', toNullable(by_id.asked_at), if(by_hash.id != '', toNullable(by_hash.asked_at), NULL)) AS recalled_at,
    if(by_id.id != '', by_id.state, by_hash.state) AS recall_state,
    if(by_id.id != '', toNullable(by_id.changed_at), if(by_hash.id != '', toNullable(by_hash.changed_at), NULL)) AS recall_updated_at
FROM ledger AS l
LEFT JOIN recalls AS by_id ON by_id.id = l.token_id
LEFT JOIN recalls AS by_hash ON by_hash.id = l.token_hash
COMMENT 'The ledger: every token seen, when it was issued, where and by whom it was used, until it was recalled';

CREATE TABLE IF NOT EXISTS {{database}}.{{local:token_custody}}
(
    token_hash String COMMENT 'base64url SHA-256 of the token, computed as the `ath` of RFC 9449. The token itself is nowhere' CODEC(ZSTD(1)),
    iss LowCardinality(String) COMMENT 'Issuer (JWT `iss`)',
    sub String COMMENT 'Subject (JWT `sub`)' CODEC(ZSTD(1)),
    client_id LowCardinality(String) COMMENT 'Client the token was issued to',
    sid String COMMENT 'Session at the authorization server' CODEC(ZSTD(1)),
    jti String COMMENT 'Id of the token (JWT `jti`)' CODEC(ZSTD(1)),
    sealed String COMMENT 'Nonce, ciphertext and tag, base64url. The key is not in the database' CODEC(ZSTD(1)),
    expires_at DateTime64(3, 'UTC') COMMENT 'Expiry of the token: when the row is dropped' CODEC(Delta(8), ZSTD(1)),
    first_seen DateTime64(3, 'UTC') COMMENT 'When the token was first seen' CODEC(Delta(8), ZSTD(1)),
    INDEX by_jti jti TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(expires_at)
ORDER BY token_hash
SETTINGS non_replicated_deduplication_window = 1000, merge_with_ttl_timeout = 600
COMMENT 'Sealed tokens, for responders only, until they expire. Grant it to nobody but the writer';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.token_custody AS {{database}}.token_custody_local
ENGINE = Distributed('{{cluster}}', {{database}}, token_custody_local, cityHash64(token_hash))
COMMENT 'Sealed tokens, for responders only, until they expire. Grant it to nobody but the writer';
