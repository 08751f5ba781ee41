-- How these files are read (src/store/migrations.ts):
--
-- * Numbered files are applied once, in order, never changed afterwards; `repeat_…` files whenever they or the
--   configuration changed. ClickHouse has no transactional DDL, so every statement can be repeated.
-- * A statement ends with `;` at the end of a line. One that begins with `-- @cluster` is for clusters only.
-- * {{database}} and {{cluster}} come from configuration, {{retention.…}} is a number of seconds, fifty years at most.
-- * {{local:x}} is the table that holds the rows: `x` itself on one server, `x_local` on each shard of a cluster,
--   where `x` is the Distributed table in front. Every server gets every statement: one by one, or with
--   `store.on_cluster` through `ON CLUSTER`. With `store.replicated` every engine of the MergeTree family becomes its
--   Replicated one.

CREATE TABLE IF NOT EXISTS {{database}}.schema_migrations
(
    file String COMMENT 'Name of the file',
    checksum String COMMENT 'SHA-256 of what was applied',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was applied'
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY file
COMMENT 'Migrations applied to this server';
