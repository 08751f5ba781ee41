import { RecallError } from '../errors.ts';
import type { StateKey, StateRow } from '../detection/keyed-state.ts';
import type { Columns } from './columns.ts';
import { encodeRows } from './encode.ts';
import type { Store } from './port.ts';

/** The right to write the state of a partition, until somebody else claims it. */
export interface Claim {
  readonly partition: string;
  /** Random id of the process that claims. */
  readonly owner: string;
  /** Higher than that of any claim before. */
  readonly epoch: number;
}

/** Reads and writes what workers keep of state partitions. Everything throws ERR_STORE_UNAVAILABLE, ERR_STORE_REFUSED. */
export interface StateStore {
  /** Claims a partition: from then on no checkpoint of an earlier claim is taken. */
  claim(partition: string, owner: string): Promise<Claim>;
  /** What the latest checkpoint says of the partition as a whole, JSON; null before the first. */
  loadPartition(partition: string): Promise<string | null>;
  /** States by key; what is not on record is left out. */
  loadStates(partition: string, keys: readonly StateKey[]): Promise<StateRow[]>;
  /** All states of one space, of one partition, or of all but `except` that were written after `since` (epoch ms). */
  loadSpace(
    space: string,
    of: { partition: string } | { except: readonly string[]; since: number },
  ): Promise<(StateRow & { partition: string; written_at: number })[]>;
  /** Names of the states whose claims are still to be reviewed. */
  loadReviews(partition: string): Promise<(StateKey & { review_at: number })[]>;
  /**
   * Makes states and partition durable, together or not at all.
   *
   * @param number grows with every checkpoint under one claim
   * @param whole what is to be kept of the partition as a whole, JSON
   * @throws RecallError ERR_STATE_FENCED where the claim is no longer the newest
   */
  checkpoint(claim: Claim, number: number, whole: string, rows: readonly StateRow[]): Promise<void>;
  /** The highest version of states on record, by space. */
  newestVersions(): Promise<Map<string, number>>;
}

/** Checkpoints of one claim; the epoch is in the bits above. Revisions stay below 2^53 for two million claims. */
const CHECKPOINTS_A_CLAIM = 2 ** 32;
/** Characters of keys in one query: they travel as a parameter of the URL. */
const KEYS_A_QUERY = 30_000;
const QUERIES_AT_ONCE = 4;
/** ClickHouse keeps the moment a part expires in 32 bits, until 2106; past it, rows would expire at once. Epoch ms. */
const LATEST = 4_102_444_800_000;

interface Written {
  claim: Claim;
  revision: number;
  now: number;
  row: StateRow;
}

const columns: Columns<Written> = {
  partition: ({ claim }) => claim.partition,
  space: ({ row }) => row.space,
  key: ({ row }) => row.key,
  version: ({ row }) => row.version,
  state: ({ row }) => row.state,
  event_time: ({ row }) => row.event_time,
  review_at: ({ row }) => row.review_at ?? null,
  // By the clock too: a log that is years old must not lose its state to the time to live of the table.
  expires_at: ({ row, now }) => Math.min(Math.max(row.event_time, now) + row.ttl, LATEST),
  owner: ({ claim }) => claim.owner,
  revision: ({ revision }) => revision,
};

const NEWEST_OWNERS =
  'SELECT partition, argMax(owner, (epoch, owner)) FROM partition_claims GROUP BY partition';

const STRUCTURE =
  'partition String, space String, key String, version UInt32, state String, event_time Int64, ' +
  'review_at Nullable(Int64), expires_at Int64, owner String, revision UInt64';

/** The server itself looks whether the claim still holds, so that a worker that slept through losing it writes nothing. */
const CHECKPOINT = `
  INSERT INTO detector_state (${Object.keys(columns).join(', ')})
  SELECT partition, space, key, version, state, fromUnixTimestamp64Milli(event_time),
    fromUnixTimestamp64Milli(review_at), fromUnixTimestamp64Milli(expires_at), owner, revision
  FROM input('${STRUCTURE}')
  WHERE (partition, owner) IN (${NEWEST_OWNERS})
  FORMAT JSONCompactEachRow`;

const STATES = `
  SELECT space, key, version, state, toUnixTimestamp64Milli(event_time) AS event_time,
    toUnixTimestamp64Milli(review_at) AS review_at
  FROM detector_state
  WHERE partition = {partition:String} AND space = {space:String} AND key IN {keys:Array(String)}
  ORDER BY revision DESC LIMIT 1 BY key`;

const SPACE = `
  SELECT partition, space, key, version, state, toUnixTimestamp64Milli(event_time) AS event_time,
    toUnixTimestamp64Milli(written_at) AS written_at
  FROM detector_state FINAL`;

interface Cells {
  partition: string;
  space: string;
  key: string;
  version: number;
  state: string;
  event_time: number;
  review_at: number | null;
  written_at: number;
}

/** A row as read; what its time to live is, only its space knows. */
const toRow = ({
  space,
  key,
  version,
  state,
  event_time,
  review_at,
}: Omit<Cells, 'partition' | 'written_at'>): StateRow => ({
  space,
  key,
  version,
  state,
  event_time,
  review_at: review_at ?? undefined,
  ttl: 0,
});

/** Cuts keys into lists that fit into one query each. */
function inQueries(keys: readonly string[]): string[][] {
  const lists: string[][] = [];
  let size = Infinity;
  for (const key of keys) {
    size += key.length + 4;
    if (size > KEYS_A_QUERY) {
      lists.push([]);
      size = key.length;
    }
    lists.at(-1)?.push(key);
  }
  return lists;
}

export function createStateStore(store: Pick<Store, 'query' | 'insert'>): StateStore {
  async function highestEpoch(partition: string): Promise<number> {
    const [row] = await store.query<{ epoch: number }>(
      `SELECT greatest(
         (SELECT max(epoch) FROM partition_claims WHERE partition = {partition:String}),
         (SELECT intDiv(max(revision), ${CHECKPOINTS_A_CLAIM}) FROM detector_state WHERE partition = {partition:String} AND space = '')
       ) AS epoch`,
      { partition },
    );
    return row?.epoch ?? 0;
  }

  async function partitionRow(partition: string) {
    const [row] = await store.query<{ state: string; revision: string; owner: string }>(
      `SELECT state, toString(revision) AS revision, owner FROM detector_state
       WHERE partition = {partition:String} AND space = '' ORDER BY detector_state.revision DESC LIMIT 1`,
      { partition },
    );
    return row;
  }

  return {
    async claim(partition, owner) {
      for (;;) {
        const epoch = (await highestEpoch(partition)) + 1;
        const row = new TextEncoder().encode(JSON.stringify([partition, epoch, owner]));
        await store.insert(
          'INSERT INTO partition_claims (partition, epoch, owner) FORMAT JSONCompactEachRow',
          [row],
        );
        const rivals = await store.query(
          `SELECT owner FROM partition_claims
           WHERE partition = {partition:String} AND epoch >= {epoch:UInt64} AND owner != {owner:String}`,
          { partition, epoch, owner },
        );
        // Two that claim at once would share an epoch, and so revisions: the one who sees it claims again.
        if (rivals.length === 0) return { partition, owner, epoch };
      }
    },
    async loadPartition(partition) {
      return (await partitionRow(partition))?.state ?? null;
    },
    async loadStates(partition, keys) {
      const spaces = new Map<string, string[]>();
      for (const { space, key } of keys) {
        const known = spaces.get(space);
        if (known === undefined) spaces.set(space, [key]);
        else known.push(key);
      }
      const queries = [...spaces].flatMap(([space, all]) =>
        inQueries(all).map((some) => ({ space, keys: some })),
      );
      const rows: StateRow[] = [];
      const work = async () => {
        for (let query = queries.pop(); query !== undefined; query = queries.pop()) {
          for (const cells of await store.query<Cells>(STATES, { partition, ...query }))
            rows.push(toRow(cells));
        }
      };
      await Promise.all(Array.from({ length: QUERIES_AT_ONCE }, work));
      return rows;
    },
    async loadSpace(space, of) {
      const [condition, params] =
        'partition' in of
          ? ['partition = {partition:String}', of]
          : [
              'NOT has({except:Array(String)}, partition) AND detector_state.written_at > fromUnixTimestamp64Milli({since:Int64})',
              of,
            ];
      const rows = await store.query<Cells>(`${SPACE} WHERE ${condition} AND space = {space:String}`, {
        ...params,
        space,
      });
      return rows.map((cells) => ({
        ...toRow({ ...cells, review_at: null }),
        partition: cells.partition,
        written_at: cells.written_at,
      }));
    },
    loadReviews: (partition) =>
      store.query(
        `SELECT space, key, toUnixTimestamp64Milli(review_at) AS review_at
         FROM detector_state FINAL WHERE partition = {partition:String} AND review_at IS NOT NULL`,
        { partition },
      ),
    async checkpoint(claim, number, whole, rows) {
      const revision = claim.epoch * CHECKPOINTS_A_CLAIM + number;
      const now = Date.now();
      const self: StateRow = { space: '', key: '', version: 1, state: whole, event_time: now, ttl: FOR_EVER };
      const written = [...rows, self].map((row): Written => ({ claim, revision, now, row }));
      const taken = await store.insert(CHECKPOINT, await encodeRows(columns, written));
      if (taken >= written.length) return;
      // A second try whose first had been taken after all may count as nothing written, too.
      const onRecord = await partitionRow(claim.partition);
      if (onRecord?.revision === String(revision) && onRecord.owner === claim.owner) return;
      throw new RecallError(
        'ERR_STATE_FENCED',
        `state partition ${claim.partition} was taken over by another worker; this one stops writing for it`,
      );
    },
    async newestVersions() {
      const rows = await store.query<{ space: string; version: number }>(
        'SELECT space, max(version) AS version FROM detector_state GROUP BY space',
      );
      return new Map(rows.map(({ space, version }) => [space, version]));
    },
  };
}

/** What a partition is at does not grow old: fifty years, ms. */
const FOR_EVER = 50 * 365 * 86_400_000;
