import type { ClickHouseSettings } from '@clickhouse/client';
import type { StoreConfig } from '../../schemas/config.ts';

/** What the store asks of ClickHouse besides its statements. */
export interface StoreSettings {
  /** Of every request. */
  readonly request: ClickHouseSettings;
  /** Of rows that share inserts with others. They may come twice, and each counts once. */
  readonly rows: ClickHouseSettings;
  /** Of rows that are one: all of them become visible, or none. */
  readonly together: ClickHouseSettings;
}

/** More than any insert has, of rows or bytes: ClickHouse begins no second block, which would be a second part. */
const ENDLESS = '1000000000000';

const NONE: ClickHouseSettings = {};

const QUORUM: ClickHouseSettings = {
  insert_quorum: 'auto',
  // Shorter than a request may be silent: that a quorum does not come about is ClickHouse's to say.
  insert_quorum_timeout: 30_000,
};

/** The settings for tables as configuration makes them. */
export function storeSettings({ replicated }: Pick<StoreConfig, 'replicated'>): StoreSettings {
  const rows: ClickHouseSettings = {
    async_insert: 0,
    // On a cluster: acknowledged when the shards have the rows, not when they are queued for them.
    distributed_foreground_insert: 1,
    // A log may span many months; the limit is meant for tables partitioned too finely.
    max_partitions_per_insert_block: '0',
    // A user agent may hold half a surrogate pair; it is stored as it came.
    input_format_json_throw_on_bad_escape_sequence: 0,
    // Where a retry finds the rows in the table but not yet in its views, it completes the views.
    deduplicate_blocks_in_dependent_materialized_views: 1,
    // Acknowledged when most replicas have the rows: the loss of one server loses none.
    ...(replicated ? QUORUM : NONE),
  };
  return {
    // Inserts one after the other (below) and reads that skip no earlier one: a worker that takes a partition over
    // reads the latest checkpoint, from whichever replica. A replica that lacks it refuses (REPLICA_IS_NOT_IN_QUORUM,
    // which may pass), so that all turn to the same one as long as it lives.
    request: replicated
      ? { select_sequential_consistency: '1', load_balancing: 'in_order', prefer_localhost_replica: 0 }
      : {},
    rows,
    together: {
      ...rows,
      min_insert_block_size_rows: ENDLESS,
      min_insert_block_size_bytes: ENDLESS,
      // Written again, they are written: a retry that is dropped looks like one whose condition does not hold.
      insert_deduplicate: 0,
      deduplicate_blocks_in_dependent_materialized_views: 0,
      ...(replicated && { insert_quorum_parallel: 0 }),
    },
  };
}
