-- Unknown is an empty text or list; NULL only where a zero would be a value.

CREATE TABLE IF NOT EXISTS {{database}}.{{local:findings}}
(
    finding_id String COMMENT 'Function of detector, target and event: a second run makes the same id' CODEC(ZSTD(1)),
    detector LowCardinality(String) COMMENT 'Id of the detector',
    time DateTime64(3, 'UTC') COMMENT 'Event time of the event that completed the finding' CODEC(Delta(8), ZSTD(1)),
    event_id String COMMENT 'That event' CODEC(ZSTD(1)),
    confidence Float64 COMMENT 'How sure the detector is, 0 to 1',
    conclusive Bool COMMENT 'True where no honest explanation is left',
    signals Array(LowCardinality(String)) COMMENT 'Independent kinds of evidence it rests on',
    reason String COMMENT 'The claim in words' CODEC(ZSTD(1)),
    measures String COMMENT 'The numbers behind it and the thresholds they passed, JSON' CODEC(ZSTD(1)),
    evidence String COMMENT 'The uses of the token it rests on, oldest first, JSON' CODEC(ZSTD(1)),
    iss LowCardinality(String) COMMENT 'Issuer (JWT `iss`)',
    sub String COMMENT 'Subject (JWT `sub`)' CODEC(ZSTD(1)),
    client_id LowCardinality(String) COMMENT 'Client the token was issued to',
    sid String COMMENT 'Session at the authorization server' CODEC(ZSTD(1)),
    jti String COMMENT 'Id of the token (JWT `jti`)' CODEC(ZSTD(1)),
    token_hash String COMMENT 'base64url SHA-256 of the token, computed as the `ath` of RFC 9449. The token itself is nowhere' CODEC(ZSTD(1)),
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written; retention counts from here' CODEC(Delta(8), ZSTD(1)),
    INDEX by_sub sub TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_token_hash token_hash TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (detector, toDate(time), finding_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Claims of detectors about single events. Read with FINAL';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.findings AS {{database}}.findings_local
ENGINE = Distributed('{{cluster}}', {{database}}, findings_local, cityHash64(finding_id))
COMMENT 'Claims of detectors about single events. Read with FINAL';

-- Not partitioned: a late finding moves `time`, and rows of two partitions never collapse.
CREATE TABLE IF NOT EXISTS {{database}}.{{local:alerts}}
(
    alert_id String COMMENT 'Function of what the incident concerns' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Of two versions of an alert the higher counts' CODEC(Delta(8), ZSTD(1)),
    time DateTime64(3, 'UTC') COMMENT 'Event time of the earliest finding' CODEC(Delta(8), ZSTD(1)),
    updated DateTime64(3, 'UTC') COMMENT 'Event time of the latest finding' CODEC(Delta(8), ZSTD(1)),
    severity LowCardinality(String) COMMENT 'low, medium, high or critical',
    risk Float64 COMMENT 'Combined confidence, 0 to 1',
    detectors Array(LowCardinality(String)) COMMENT 'Detectors whose findings it gathers',
    findings String COMMENT 'The findings, JSON' CODEC(ZSTD(1)),
    iss LowCardinality(String) COMMENT 'Issuer (JWT `iss`)',
    sub String COMMENT 'Subject (JWT `sub`)' CODEC(ZSTD(1)),
    client_id LowCardinality(String) COMMENT 'Client the token was issued to',
    sid String COMMENT 'Session at the authorization server' CODEC(ZSTD(1)),
    jti String COMMENT 'Id of the token (JWT `jti`)' CODEC(ZSTD(1)),
    token_hash String COMMENT 'base64url SHA-256 of the token, computed as the `ath` of RFC 9449. The token itself is nowhere' CODEC(ZSTD(1)),
    decision_action LowCardinality(String) COMMENT 'What is to be done: record, alert, approval, revoke',
    decision_handle LowCardinality(String) COMMENT 'What is to be recalled: token, session, grant, subject, client, issuer',
    decision_value String COMMENT 'Which one' CODEC(ZSTD(1)),
    decision_mode LowCardinality(String) COMMENT 'shadow: not carried out; enforce: carried out',
    decision_reason String COMMENT 'Why this and nothing more or less' CODEC(ZSTD(1)),
    decision_missing Array(String) COMMENT 'What is missing to carry it out' CODEC(ZSTD(1)),
    evidence String COMMENT 'The uses it rests on, JSON' CODEC(ZSTD(1)),
    summary String COMMENT 'One sentence a person can act on' CODEC(ZSTD(1)),
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written; retention counts from here' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY alert_id
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Incidents: findings on one token, session or subject. One row an alert, the latest version: read with FINAL';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.alerts AS {{database}}.alerts_local
ENGINE = Distributed('{{cluster}}', {{database}}, alerts_local, cityHash64(alert_id))
COMMENT 'Incidents: findings on one token, session or subject. One row an alert, the latest version: read with FINAL';

CREATE TABLE IF NOT EXISTS {{database}}.{{local:alert_reviews}}
(
    alert_id String COMMENT 'The alert' CODEC(ZSTD(1)),
    at DateTime64(3, 'UTC') COMMENT 'When' CODEC(Delta(8), ZSTD(1)),
    actor LowCardinality(String) COMMENT 'Who: name of the API credential',
    status LowCardinality(String) COMMENT 'What the alert became: open, acknowledged, resolved',
    verdict LowCardinality(String) COMMENT 'Of a resolved one: true_positive, false_positive, benign; else empty',
    note String COMMENT 'What was said' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (alert_id, at, actor, status)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What analysts said of alerts; the latest review gives the status of the alert. Read with FINAL';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.alert_reviews AS {{database}}.alert_reviews_local
ENGINE = Distributed('{{cluster}}', {{database}}, alert_reviews_local, cityHash64(alert_id))
COMMENT 'What analysts said of alerts; the latest review gives the status of the alert. Read with FINAL';

CREATE TABLE IF NOT EXISTS {{database}}.{{local:actions}}
(
    action_id String COMMENT 'Function of alert or request, handle and value: asked twice, recorded once' CODEC(ZSTD(1)),
    alert_id String COMMENT 'The alert it comes from; empty where a person asked' CODEC(ZSTD(1)),
    requested_by LowCardinality(String) COMMENT '`policy`, or the name of the API credential that asked',
    requested_at DateTime64(3, 'UTC') COMMENT 'When it was asked' CODEC(Delta(8), ZSTD(1)),
    responder LowCardinality(String) COMMENT 'Which responder carries it out, such as `rfc7009`',
    handle LowCardinality(String) COMMENT 'What is recalled: token, session, grant, subject, client, issuer',
    value String COMMENT 'Token hash or jti, sid, sub, client_id' CODEC(ZSTD(1)),
    iss LowCardinality(String) COMMENT 'Issuer (JWT `iss`)',
    sub String COMMENT 'Subject (JWT `sub`)' CODEC(ZSTD(1)),
    client_id LowCardinality(String) COMMENT 'Client the token was issued to',
    sid String COMMENT 'Session at the authorization server' CODEC(ZSTD(1)),
    token_hash String COMMENT 'base64url SHA-256 of the token, computed as the `ath` of RFC 9449. The token itself is nowhere' CODEC(ZSTD(1)),
    event_time DateTime64(3, 'UTC') COMMENT 'Event time that caused it' CODEC(Delta(8), ZSTD(1)),
    mode LowCardinality(String) COMMENT 'shadow: not carried out; enforce: carried out',
    state LowCardinality(String) COMMENT 'pending, accepted (the server took it), confirmed (proven dead), failed (will not be retried)',
    attempts UInt32 COMMENT 'Requests made so far',
    reason String COMMENT 'Why it was asked' CODEC(ZSTD(1)),
    detail String COMMENT 'What came of it, in words' CODEC(ZSTD(1)),
    updated_at DateTime64(3, 'UTC') COMMENT 'When the state last changed' CODEC(Delta(8), ZSTD(1)),
    version UInt64 MATERIALIZED bitShiftLeft(toUInt64(transform(state, ['accepted', 'failed', 'confirmed'], [1, 2, 3], 0)), 56)
        + toUInt64(toUnixTimestamp64Milli(updated_at))
        COMMENT 'Which row counts: the furthest state, then the latest. A receipt is not undone by asking again'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY action_id
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Attempts to carry decisions out, with their receipts. One row an action: read with FINAL';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.actions AS {{database}}.actions_local
ENGINE = Distributed('{{cluster}}', {{database}}, actions_local, cityHash64(action_id))
COMMENT 'Attempts to carry decisions out, with their receipts. One row an action: read with FINAL';

CREATE TABLE IF NOT EXISTS {{database}}.{{local:detector_state}}
(
    detector LowCardinality(String) COMMENT 'Id of the detector',
    key String COMMENT 'Key of the state' CODEC(ZSTD(1)),
    version UInt32 COMMENT 'Version of the shape of the state',
    state String COMMENT 'The state, serialised' CODEC(ZSTD(3)),
    topic LowCardinality(String) COMMENT 'Topic of the last record it contains',
    partition Int32 COMMENT 'Partition of that record; -1 where the source has none',
    offset Int64 COMMENT 'Offset of that record; -1 where the source has none',
    event_time DateTime64(3, 'UTC') COMMENT 'Event time of the last event it contains' CODEC(Delta(8), ZSTD(1)),
    expires_at DateTime64(3, 'UTC') COMMENT 'When the row is dropped' CODEC(Delta(8), ZSTD(1)),
    written_at DateTime64(3, 'UTC') COMMENT 'When it was written; the latest counts' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (detector, key)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Checkpoints of keyed state. One row a key: read with FINAL';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.detector_state AS {{database}}.detector_state_local
ENGINE = Distributed('{{cluster}}', {{database}}, detector_state_local, cityHash64(key))
COMMENT 'Checkpoints of keyed state. One row a key: read with FINAL';
