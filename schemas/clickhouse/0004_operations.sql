CREATE TABLE IF NOT EXISTS {{database}}.{{local:dead_letters}}
(
    dead_letter_id String COMMENT 'Function of source, position and content' CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'When it arrived; retention counts from here' CODEC(Delta(8), ZSTD(1)),
    source LowCardinality(String) COMMENT 'Where it was read',
    position String COMMENT 'Where in the source it stood' CODEC(ZSTD(1)),
    stream LowCardinality(String) COMMENT 'access or authorization',
    step LowCardinality(String) COMMENT 'The step that refused it',
    code LowCardinality(String) COMMENT 'Error code, ERR_*',
    reason String COMMENT 'What was wrong, in words' CODEC(ZSTD(1)),
    size UInt64 COMMENT 'Original size in bytes',
    excerpt String COMMENT 'The beginning of the record, everything that could be a token masked' CODEC(ZSTD(1)),
    sealed String COMMENT 'The original bytes, sealed as custody seals tokens; empty where no key is configured' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (source, code, dead_letter_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Records that are no event, with the reason. Read with FINAL';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.dead_letters AS {{database}}.dead_letters_local
ENGINE = Distributed('{{cluster}}', {{database}}, dead_letters_local, cityHash64(dead_letter_id))
COMMENT 'Records that are no event, with the reason. Read with FINAL';

CREATE TABLE IF NOT EXISTS {{database}}.{{local:audit_log}}
(
    at DateTime64(3, 'UTC') COMMENT 'When' CODEC(Delta(8), ZSTD(1)),
    actor LowCardinality(String) COMMENT 'Who',
    action LowCardinality(String) COMMENT 'Did what',
    target String COMMENT 'To what' CODEC(ZSTD(1)),
    outcome LowCardinality(String) COMMENT 'What came of it',
    detail String COMMENT 'In words' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (at, actor, action, target, outcome, detail)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Who did what to what. Rows are only ever added';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.audit_log AS {{database}}.audit_log_local
ENGINE = Distributed('{{cluster}}', {{database}}, audit_log_local, cityHash64(at, actor, action, target))
COMMENT 'Who did what to what. Rows are only ever added';
