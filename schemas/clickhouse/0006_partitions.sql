-- State partitions: what workers share. The rows of one checkpoint are one insert into one table of one shard, which is
-- what makes them one: all or nothing. `detector_state` of 0002 was never written to.

DROP TABLE IF EXISTS {{database}}.detector_state SYNC;

DROP TABLE IF EXISTS {{database}}.{{local:detector_state}} SYNC;

-- Small granules: states are looked up one by one.
CREATE TABLE IF NOT EXISTS {{database}}.{{local:detector_state}}
(
    partition LowCardinality(String) COMMENT 'State partition, such as `token-recall.detect/3`; `local` where the sources do not partition',
    space LowCardinality(String) COMMENT 'Whose state it is: id of a detector, incidents, token-names, population; empty for the partition itself',
    key String COMMENT 'Key of the state; empty for the partition itself' CODEC(ZSTD(1)),
    version UInt32 COMMENT 'Version of the shape of the state',
    state String COMMENT 'The state, JSON' CODEC(ZSTD(3)),
    event_time DateTime64(3, 'UTC') COMMENT 'Event time of the latest event it contains' CODEC(Delta(8), ZSTD(1)),
    review_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Watermark at which its claims are to be looked at once more' CODEC(ZSTD(1)),
    expires_at DateTime64(3, 'UTC') COMMENT 'When the row is dropped' CODEC(Delta(8), ZSTD(1)),
    owner LowCardinality(String) COMMENT 'Worker that wrote it: see partition_claims',
    revision UInt64 COMMENT 'Epoch of the claim (upper bits) and number of the checkpoint (lower 32): the highest counts' CODEC(ZSTD(1)),
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was written' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (partition, space, key)
SETTINGS index_granularity = 128, min_compress_block_size = 16384, max_compress_block_size = 65536
COMMENT 'Checkpoints of keyed state. One row a key: read with FINAL';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.detector_state AS {{database}}.detector_state_local
ENGINE = Distributed('{{cluster}}', {{database}}, detector_state_local, cityHash64(partition))
COMMENT 'Checkpoints of keyed state. One row a key: read with FINAL';

CREATE TABLE IF NOT EXISTS {{database}}.{{local:partition_claims}}
(
    partition LowCardinality(String) COMMENT 'State partition',
    epoch UInt64 COMMENT 'Grows with every claim: who holds the highest may write' CODEC(ZSTD(1)),
    owner String COMMENT 'Worker that claims it: a random id of the process' CODEC(ZSTD(1)),
    claimed_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (partition, epoch, owner)
COMMENT 'Which worker may write the state of which partition: the one with the highest epoch. Rows are only ever added';

-- @cluster
CREATE TABLE IF NOT EXISTS {{database}}.partition_claims AS {{database}}.partition_claims_local
ENGINE = Distributed('{{cluster}}', {{database}}, partition_claims_local, cityHash64(partition))
COMMENT 'Which worker may write the state of which partition: the one with the highest epoch. Rows are only ever added';

ALTER TABLE {{database}}.{{local:access_events}} ADD COLUMN IF NOT EXISTS late Bool COMMENT 'True where it arrived later than the allowed lateness: stored, held against nothing';

ALTER TABLE {{database}}.{{local:authorization_events}} ADD COLUMN IF NOT EXISTS late Bool COMMENT 'True where it arrived later than the allowed lateness: stored, held against nothing';

ALTER TABLE {{database}}.{{local:alerts}} ADD COLUMN IF NOT EXISTS partition LowCardinality(String) COMMENT 'State partition it was raised in';

ALTER TABLE {{database}}.{{local:actions}} ADD COLUMN IF NOT EXISTS partition LowCardinality(String) COMMENT 'State partition it was decided in: its owner carries the action out';

ALTER TABLE {{database}}.{{local:actions}} ADD COLUMN IF NOT EXISTS expires_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the token expires by itself';

ALTER TABLE {{database}}.{{local:actions}} ADD COLUMN IF NOT EXISTS seen_active_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When introspection showed the token active before it was revoked';

ALTER TABLE {{database}}.{{local:actions}} MODIFY COLUMN version UInt64 MATERIALIZED bitShiftLeft(toUInt64(transform(state, ['accepted', 'failed', 'moot', 'confirmed'], [1, 2, 2, 3], 0)), 56)
    + toUInt64(toUnixTimestamp64Milli(updated_at))
    COMMENT 'Which row counts: the furthest state, then the latest. A receipt is not undone by asking again';

-- @cluster
ALTER TABLE {{database}}.access_events ADD COLUMN IF NOT EXISTS late Bool COMMENT 'True where it arrived later than the allowed lateness: stored, held against nothing';

-- @cluster
ALTER TABLE {{database}}.authorization_events ADD COLUMN IF NOT EXISTS late Bool COMMENT 'True where it arrived later than the allowed lateness: stored, held against nothing';

-- @cluster
ALTER TABLE {{database}}.alerts ADD COLUMN IF NOT EXISTS partition LowCardinality(String) COMMENT 'State partition it was raised in';

-- @cluster
ALTER TABLE {{database}}.actions ADD COLUMN IF NOT EXISTS partition LowCardinality(String) COMMENT 'State partition it was decided in: its owner carries the action out';

-- @cluster
ALTER TABLE {{database}}.actions ADD COLUMN IF NOT EXISTS expires_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the token expires by itself';

-- @cluster
ALTER TABLE {{database}}.actions ADD COLUMN IF NOT EXISTS seen_active_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When introspection showed the token active before it was revoked';
