-- What became of alerts at the sinks, and of dead letters that were handed over again.

-- By alert: it is asked about single alerts, and compared with all of them. Two rows an alert and sink at most, so that
-- a version that was refused does not hide the one that was taken before.
CREATE TABLE IF NOT EXISTS {{database}}.{{local:alert_deliveries}}
(
    alert_id String COMMENT 'The alert' CODEC(ZSTD(1)),
    sink LowCardinality(String) COMMENT 'The sink, such as `webhook:soc.example.com`',
    outcome LowCardinality(String) COMMENT 'delivered: the sink took it; refused: it will not, and is not asked again',
    version UInt64 COMMENT 'Version of the alert; the highest counts' CODEC(Delta(8), ZSTD(1)),
    at DateTime64(3, 'UTC') COMMENT 'When; retention counts from here' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (alert_id, sink, outcome)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Which sink took, or refused, which version of an alert. One row an alert, sink and outcome: read with FINAL';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.alert_deliveries AS {{database}}.alert_deliveries_local
ENGINE = Distributed('{{cluster}}', {{database}}, alert_deliveries_local, cityHash64(alert_id))
COMMENT 'Which sink took, or refused, which version of an alert. One row an alert, sink and outcome: read with FINAL';

CREATE TABLE IF NOT EXISTS {{database}}.{{local:alert_sinks}}
(
    sink String COMMENT 'The sink, such as `webhook:soc.example.com`',
    since SimpleAggregateFunction(min, DateTime64(3, 'UTC')) DEFAULT now64(3) COMMENT 'When it was first configured: of the alerts stored before it is told nothing'
)
ENGINE = AggregatingMergeTree
ORDER BY sink
COMMENT 'Sinks that alerts were ever sent to. One row a sink, the earliest: read with FINAL';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.alert_sinks AS {{database}}.alert_sinks_local
ENGINE = Distributed('{{cluster}}', {{database}}, alert_sinks_local, cityHash64(sink))
COMMENT 'Sinks that alerts were ever sent to. One row a sink, the earliest: read with FINAL';

CREATE TABLE IF NOT EXISTS {{database}}.{{local:dead_letter_outcomes}}
(
    dead_letter_id String COMMENT 'The dead letter' CODEC(ZSTD(1)),
    at DateTime64(3, 'UTC') COMMENT 'When it was handed over again; the latest counts' CODEC(Delta(8), ZSTD(1)),
    actor LowCardinality(String) COMMENT 'Who did it: `cli:` and the user, or the name of the API credential',
    outcome LowCardinality(String) COMMENT 'accepted: it is an event now; refused: the worker set it aside anew',
    detail String COMMENT 'In words' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(at)
ORDER BY dead_letter_id
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Dead letters that were handed over again. One row a dead letter, the latest: read with FINAL';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.dead_letter_outcomes AS {{database}}.dead_letter_outcomes_local
ENGINE = Distributed('{{cluster}}', {{database}}, dead_letter_outcomes_local, cityHash64(dead_letter_id))
COMMENT 'Dead letters that were handed over again. One row a dead letter, the latest: read with FINAL';

CREATE VIEW IF NOT EXISTS {{database}}.refused_records
(
    dead_letter_id String COMMENT 'The dead letter',
    received_at DateTime64(3, 'UTC') COMMENT 'When it arrived',
    source LowCardinality(String) COMMENT 'Where it was read',
    position String COMMENT 'Where in the source it stood',
    stream LowCardinality(String) COMMENT 'access or authorization',
    step LowCardinality(String) COMMENT 'The step that refused it',
    code LowCardinality(String) COMMENT 'Error code, ERR_*',
    reason String COMMENT 'What was wrong, in words',
    size UInt64 COMMENT 'Original size in bytes',
    excerpt String COMMENT 'The beginning of the record, everything that could be a token masked',
    redriven_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was last handed over again; NULL where never',
    redriven_by LowCardinality(String) COMMENT 'By whom',
    redrive_outcome LowCardinality(String) COMMENT 'accepted or refused; empty where it was never handed over again'
)
AS WITH outcomes AS
(
    SELECT dead_letter_id, at, toString(actor) AS actor, toString(outcome) AS outcome
    FROM {{database}}.dead_letter_outcomes FINAL
)
SELECT
    d.dead_letter_id AS dead_letter_id,
    d.received_at AS received_at,
    d.source AS source,
    d.position AS position,
    d.stream AS stream,
    d.step AS step,
    d.code AS code,
    d.reason AS reason,
    d.size AS size,
    d.excerpt AS excerpt,
    if(o.outcome = '', NULL, toNullable(o.at)) AS redriven_at,
    o.actor AS redriven_by,
    o.outcome AS redrive_outcome
FROM {{database}}.dead_letters AS d FINAL
GLOBAL LEFT JOIN outcomes AS o ON o.dead_letter_id = d.dead_letter_id
COMMENT 'Which records were refused, why, and were they handed over again? Dead letters without their sealed originals';
