-- What analysts ask first; docs/queries.md shows each with its answer. Views read with FINAL, so that nothing counts twice.

CREATE VIEW IF NOT EXISTS {{database}}.token_places
(
    token_hash String COMMENT 'base64url SHA-256 of the token',
    jti String COMMENT 'Id of the token',
    sub String COMMENT 'Subject',
    client_id LowCardinality(String) COMMENT 'Client',
    ip String COMMENT 'Address',
    country LowCardinality(String) COMMENT 'Country of the address',
    city LowCardinality(String) COMMENT 'City of the address',
    asn UInt32 COMMENT 'Autonomous system; 0 where unknown',
    as_org LowCardinality(String) COMMENT 'Its name',
    network LowCardinality(String) COMMENT 'Network class',
    ua_family LowCardinality(String) COMMENT 'User agent family',
    first_used DateTime64(3, 'UTC') COMMENT 'First use from there',
    last_used DateTime64(3, 'UTC') COMMENT 'Last use from there',
    uses UInt64 COMMENT 'Requests from there',
    denied UInt64 COMMENT 'Of those, answered 401 or 403'
)
AS SELECT
    token_hash, jti, sub, client_id, ip, country, city, asn, as_org, network, ua_family,
    min(time) AS first_used,
    max(time) AS last_used,
    count() AS uses,
    countIf(status IN (401, 403)) AS denied
FROM {{database}}.access_events FINAL
GROUP BY token_hash, jti, sub, client_id, ip, country, city, asn, as_org, network, ua_family
COMMENT 'Where was this token used? One row a token, address and user agent family';

CREATE VIEW IF NOT EXISTS {{database}}.subject_activity
(
    day Date COMMENT 'Day (UTC)',
    iss LowCardinality(String) COMMENT 'Issuer',
    sub String COMMENT 'Subject',
    client_id LowCardinality(String) COMMENT 'Client',
    method LowCardinality(String) COMMENT 'HTTP method',
    route LowCardinality(String) COMMENT 'Route template',
    uses UInt64 COMMENT 'Requests',
    errors UInt64 COMMENT 'Of those, answered 4xx or 5xx',
    tokens UInt64 COMMENT 'Tokens used',
    ips UInt64 COMMENT 'Addresses used',
    countries Array(String) COMMENT 'Countries',
    first_used DateTime64(3, 'UTC') COMMENT 'First request',
    last_used DateTime64(3, 'UTC') COMMENT 'Last request'
)
AS SELECT
    toDate(time) AS day, iss, sub, client_id, method, route,
    count() AS uses,
    countIf(status >= 400) AS errors,
    uniqExact(if(jti != '', jti, token_hash)) AS tokens,
    uniqExact(ip) AS ips,
    arraySort(groupUniqArrayIf(toString(country), country != '')) AS countries,
    min(time) AS first_used,
    max(time) AS last_used
FROM {{database}}.access_events FINAL
GROUP BY day, iss, sub, client_id, method, route
COMMENT 'What did this subject''s tokens do, by day? One row a day, client and route';

CREATE VIEW IF NOT EXISTS {{database}}.recalls
(
    action_id String COMMENT 'The action',
    alert_id String COMMENT 'The alert; empty where a person asked',
    requested_by LowCardinality(String) COMMENT 'Who asked',
    requested_at DateTime64(3, 'UTC') COMMENT 'When',
    handle LowCardinality(String) COMMENT 'What is recalled',
    value String COMMENT 'Which one',
    sub String COMMENT 'Subject',
    client_id LowCardinality(String) COMMENT 'Client',
    state LowCardinality(String) COMMENT 'pending, accepted, confirmed or failed',
    seconds_to_confirm Nullable(Float64) COMMENT 'From asking to proof; NULL where not confirmed',
    attempts UInt32 COMMENT 'Requests made',
    uses_after UInt64 COMMENT 'Requests with the token after the recall was asked',
    accepted_after UInt64 COMMENT 'Of those, answered 2xx or 3xx: a gateway let it through',
    last_use_after Nullable(DateTime64(3, 'UTC')) COMMENT 'Last of them',
    detail String COMMENT 'What came of it'
)
AS WITH recalled AS
(
    SELECT action_id, requested_at, arrayJoin(arrayFilter(x -> x != '', arrayDistinct([value, token_hash]))) AS id
    FROM {{database}}.actions FINAL
    WHERE handle = 'token' AND mode = 'enforce'
),
used AS
(
    SELECT event_id, time, status, arrayJoin(arrayFilter(x -> x != '', [token_hash, jti])) AS id
    FROM {{database}}.access_events FINAL
    WHERE token_hash GLOBAL IN (SELECT id FROM recalled) OR jti GLOBAL IN (SELECT id FROM recalled)
),
after AS
(
    SELECT
        r.action_id AS action_id,
        uniqExact(u.event_id) AS uses_after,
        uniqExactIf(u.event_id, u.status BETWEEN 200 AND 399) AS accepted_after,
        max(u.time) AS last_use_after
    FROM used AS u
    GLOBAL INNER JOIN recalled AS r ON r.id = u.id
    WHERE u.time > r.requested_at
    GROUP BY r.action_id
)
SELECT
    a.action_id AS action_id,
    a.alert_id AS alert_id,
    a.requested_by AS requested_by,
    a.requested_at AS requested_at,
    a.handle AS handle,
    a.value AS value,
    a.sub AS sub,
    a.client_id AS client_id,
    a.state AS state,
    if(a.state = 'confirmed', toNullable((toUnixTimestamp64Milli(a.updated_at) - toUnixTimestamp64Milli(a.requested_at)) / 1000), NULL) AS seconds_to_confirm,
    a.attempts AS attempts,
    b.uses_after AS uses_after,
    b.accepted_after AS accepted_after,
    if(b.uses_after > 0, toNullable(b.last_use_after), NULL) AS last_use_after,
    a.detail AS detail
FROM {{database}}.actions AS a FINAL
GLOBAL LEFT JOIN after AS b ON b.action_id = a.action_id
WHERE a.mode = 'enforce'
COMMENT 'How long did a recall take until it was proven, and was the token used after? One row a recall that was carried out';

CREATE VIEW IF NOT EXISTS {{database}}.findings_by_detector
(
    day Date COMMENT 'Day (UTC) of the event',
    detector LowCardinality(String) COMMENT 'Detector',
    findings UInt64 COMMENT 'Findings',
    conclusive UInt64 COMMENT 'Of those, without an honest explanation',
    subjects UInt64 COMMENT 'Subjects concerned',
    tokens UInt64 COMMENT 'Tokens concerned',
    mean_confidence Float64 COMMENT 'Mean confidence',
    latest DateTime64(3, 'UTC') COMMENT 'Latest finding'
)
AS SELECT
    toDate(time) AS day, detector,
    count() AS findings,
    countIf(conclusive) AS conclusive,
    uniqExactIf((iss, sub), sub != '') AS subjects,
    uniqExactIf(if(jti != '', jti, token_hash), jti != '' OR token_hash != '') AS tokens,
    round(avg(confidence), 3) AS mean_confidence,
    max(time) AS latest
FROM {{database}}.findings FINAL
GROUP BY day, detector
COMMENT 'What do the detectors find? One row a day and detector';

CREATE VIEW IF NOT EXISTS {{database}}.current_alerts
(
    alert_id String COMMENT 'The alert',
    version UInt64 COMMENT 'Of two versions of an alert the higher counts',
    status LowCardinality(String) COMMENT 'open, acknowledged or resolved',
    verdict LowCardinality(String) COMMENT 'Of a resolved one; else empty',
    reviewed_by LowCardinality(String) COMMENT 'Who reviewed it last; empty where nobody did',
    reviewed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When',
    time DateTime64(3, 'UTC') COMMENT 'Earliest finding',
    updated DateTime64(3, 'UTC') COMMENT 'Latest finding',
    severity LowCardinality(String) COMMENT 'low, medium, high or critical',
    risk Float64 COMMENT 'Combined confidence, 0 to 1',
    detectors Array(LowCardinality(String)) COMMENT 'Detectors',
    findings String COMMENT 'The findings, JSON',
    iss LowCardinality(String) COMMENT 'Issuer',
    sub String COMMENT 'Subject',
    client_id LowCardinality(String) COMMENT 'Client',
    sid String COMMENT 'Session',
    jti String COMMENT 'Id of the token',
    token_hash String COMMENT 'base64url SHA-256 of the token',
    decision_action LowCardinality(String) COMMENT 'What is to be done',
    decision_handle LowCardinality(String) COMMENT 'What is to be recalled',
    decision_value String COMMENT 'Which one',
    decision_mode LowCardinality(String) COMMENT 'shadow or enforce',
    decision_reason String COMMENT 'Why',
    decision_missing Array(String) COMMENT 'What is missing to carry it out',
    evidence String COMMENT 'The uses it rests on, JSON',
    summary String COMMENT 'One sentence a person can act on'
)
AS WITH reviews AS
(
    SELECT
        alert_id,
        argMax(toString(status), at) AS status,
        argMax(toString(verdict), at) AS verdict,
        argMax(toString(actor), at) AS actor,
        max(at) AS reviewed_at
    FROM {{database}}.alert_reviews FINAL
    GROUP BY alert_id
)
SELECT
    a.alert_id AS alert_id,
    a.version AS version,
    if(r.alert_id = '', 'open', r.status) AS status,
    r.verdict AS verdict,
    r.actor AS reviewed_by,
    if(r.alert_id = '', NULL, toNullable(r.reviewed_at)) AS reviewed_at,
    a.time AS time,
    a.updated AS updated,
    a.severity AS severity,
    a.risk AS risk,
    a.detectors AS detectors,
    a.findings AS findings,
    a.iss AS iss,
    a.sub AS sub,
    a.client_id AS client_id,
    a.sid AS sid,
    a.jti AS jti,
    a.token_hash AS token_hash,
    a.decision_action AS decision_action,
    a.decision_handle AS decision_handle,
    a.decision_value AS decision_value,
    a.decision_mode AS decision_mode,
    a.decision_reason AS decision_reason,
    a.decision_missing AS decision_missing,
    a.evidence AS evidence,
    a.summary AS summary
FROM {{database}}.alerts AS a FINAL
GLOBAL LEFT JOIN reviews AS r ON r.alert_id = a.alert_id
COMMENT 'Alerts as they stand: with the status and verdict of their latest review';

CREATE VIEW IF NOT EXISTS {{database}}.unused_scopes
(
    iss LowCardinality(String) COMMENT 'Issuer',
    client_id LowCardinality(String) COMMENT 'Client',
    scope String COMMENT 'Scope',
    grants UInt64 COMMENT 'Tokens or consents that granted it',
    subjects UInt64 COMMENT 'Subjects it was granted for',
    first_granted DateTime64(3, 'UTC') COMMENT 'First grant',
    last_granted DateTime64(3, 'UTC') COMMENT 'Last grant'
)
AS WITH presented AS
(
    SELECT DISTINCT toString(iss) AS iss, toString(client_id) AS client_id, arrayJoin(scope) AS scope
    FROM {{database}}.access_events
),
granted AS
(
    SELECT
        toString(iss) AS iss, toString(client_id) AS client_id, arrayJoin(scope) AS scope,
        count() AS grants,
        uniqExactIf(sub, sub != '') AS subjects,
        min(time) AS first_granted,
        max(time) AS last_granted
    FROM {{database}}.authorization_events FINAL
    WHERE type IN ('token_issued', 'token_refreshed', 'consent_granted')
    GROUP BY iss, client_id, scope
)
SELECT g.iss AS iss, g.client_id AS client_id, g.scope AS scope, g.grants AS grants, g.subjects AS subjects,
    g.first_granted AS first_granted, g.last_granted AS last_granted
FROM granted AS g
GLOBAL LEFT ANTI JOIN presented AS p ON p.iss = g.iss AND p.client_id = g.client_id AND p.scope = g.scope
COMMENT 'Which scopes were granted to a client, but never carried by a token it presented?';

CREATE VIEW IF NOT EXISTS {{database}}.client_networks
(
    iss LowCardinality(String) COMMENT 'Issuer',
    client_id LowCardinality(String) COMMENT 'Client',
    asn UInt32 COMMENT 'Autonomous system',
    as_org LowCardinality(String) COMMENT 'Its name',
    network LowCardinality(String) COMMENT 'Network class',
    countries Array(String) COMMENT 'Countries',
    subjects UInt64 COMMENT 'Subjects seen there',
    tokens UInt64 COMMENT 'Tokens seen there',
    uses UInt64 COMMENT 'Requests',
    first_used DateTime64(3, 'UTC') COMMENT 'First request',
    last_used DateTime64(3, 'UTC') COMMENT 'Last request'
)
AS SELECT
    iss, client_id, asn, as_org, network,
    arraySort(groupUniqArrayIf(toString(country), country != '')) AS countries,
    uniqExactIf(sub, sub != '') AS subjects,
    uniqExactIf(if(jti != '', jti, token_hash), jti != '' OR token_hash != '') AS tokens,
    uniqExact(event_id) AS uses,
    min(time) AS first_used,
    max(time) AS last_used
FROM {{database}}.access_events
WHERE asn != 0
GROUP BY iss, client_id, asn, as_org, network
COMMENT 'From which networks is a client used, and since when?';

CREATE VIEW IF NOT EXISTS {{database}}.dead_letters_by_reason
(
    day Date COMMENT 'Day (UTC) of arrival',
    source LowCardinality(String) COMMENT 'Where it was read',
    stream LowCardinality(String) COMMENT 'access or authorization',
    step LowCardinality(String) COMMENT 'The step that refused it',
    code LowCardinality(String) COMMENT 'Error code',
    records UInt64 COMMENT 'Records',
    bytes UInt64 COMMENT 'Their size',
    first DateTime64(3, 'UTC') COMMENT 'First arrival',
    latest DateTime64(3, 'UTC') COMMENT 'Latest arrival',
    example String COMMENT 'The reason given for the latest'
)
AS SELECT
    toDate(received_at) AS day, source, stream, step, code,
    count() AS records,
    sum(size) AS bytes,
    min(received_at) AS first,
    max(received_at) AS latest,
    argMax(reason, (received_at, dead_letter_id)) AS example
FROM {{database}}.dead_letters FINAL
GROUP BY day, source, stream, step, code
COMMENT 'Why are records refused? One row a day, source and error code';
