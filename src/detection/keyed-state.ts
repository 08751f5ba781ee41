import { createLru } from './lru.ts';

/** A kind of keyed state: that of one detector, or one of the runtime's own. */
export interface Space {
  /** Unique, and part of what checkpoints are found by: never renamed. */
  readonly id: string;
  /** Raised whenever the shape of the state changes. */
  readonly version: number;
  /** How long, in ms of event time after its last event, a key's state is kept. */
  readonly ttl: number;
  initial(): unknown;
  /** Makes a state of this version of one of version `from`; undefined where it cannot, and the key begins anew. */
  migrate?: ((state: unknown, from: number) => unknown) | undefined;
}

/** Name of one state. */
export interface StateKey {
  readonly space: string;
  readonly key: string;
}

/** One state as a checkpoint holds it. Times are epoch milliseconds. */
export interface StateRow extends StateKey {
  /** Version of the shape. */
  readonly version: number;
  /** JSON. */
  readonly state: string;
  /** Event time of the latest event it contains. */
  readonly event_time: number;
  /** Watermark at which its claims are to be reviewed. */
  readonly review_at?: number | undefined;
  /** How long the row is needed, in ms of event time after `event_time`. */
  readonly ttl: number;
}

/** A state in memory. */
export interface Held {
  readonly space: number;
  readonly key: string;
  state: unknown;
  /** Event time of the latest event of the key. */
  last: number;
  reviewAt: number | undefined;
}

/** States in memory, over all spaces. What is changed is written by checkpoints; what is cold leaves and comes back. */
export interface KeyedState {
  /** The state if memory holds it, which makes it the one used last. */
  get(space: number, key: string): Held | undefined;
  /**
   * The state of `key` for an event of that time: the one in memory, else a new one. A state whose time to live was
   * over by then begins anew. What is returned counts as changed.
   */
  at(space: number, key: string, time: number): Held;
  /** The state if memory holds it, as it is, also where its time to live is over; counts as changed. */
  touch(space: number, key: string): Held | undefined;
  /** Takes in what a checkpoint held; what memory holds already is newer and stays. */
  load(rows: readonly StateRow[]): void;
  /** What changed since the last {@link KeyedState.settle}, as rows of a checkpoint. */
  changed(): StateRow[];
  /** Says that all changes are durable. */
  settle(): void;
  /** Lets go of the states used longest ago until at most `limit` are left. Only what is durable may go. */
  shrink(limit: number): void;
  /** States held, by space. */
  counts(): number[];
}

/**
 * Creates an empty one. A state of a newer version than its space's is an error that start-up tells before
 * (ERR_STATE_VERSION), so it is not met here.
 */
export function createKeyedState(spaces: readonly Space[]): KeyedState {
  const states = createLru<Held>(spaces.length);
  const counts = spaces.map(() => 0);
  const numbers = new Map(spaces.map(({ id }, number) => [id, number]));
  const changed = new Set<Held>();

  function hold(held: Held): Held {
    states.add(held.space, held.key, held);
    counts[held.space] = (counts[held.space] ?? 0) + 1;
    return held;
  }

  function spaceOf(number: number): Space {
    const space = spaces[number];
    if (space === undefined) throw new RangeError(`no space ${number}`);
    return space;
  }

  function decode({ version, state }: StateRow, space: Space): unknown {
    const value: unknown = JSON.parse(state);
    if (version === space.version) return value;
    return space.migrate?.(value, version) ?? space.initial();
  }

  return {
    get: (space, key) => states.get(space, key),
    at(number, key, time) {
      const space = spaceOf(number);
      const held =
        states.get(number, key) ??
        hold({ space: number, key, state: space.initial(), last: time, reviewAt: undefined });
      if (time - held.last > space.ttl) {
        held.state = space.initial();
        held.reviewAt = undefined;
      }
      if (time > held.last) held.last = time;
      changed.add(held);
      return held;
    },
    touch(number, key) {
      const held = states.get(number, key);
      if (held !== undefined) changed.add(held);
      return held;
    },
    load(rows) {
      for (const row of rows) {
        const number = numbers.get(row.space);
        // Of a detector that is turned off, or was removed.
        if (number === undefined || states.get(number, row.key) !== undefined) continue;
        const state = decode(row, spaceOf(number));
        hold({ space: number, key: row.key, state, last: row.event_time, reviewAt: row.review_at });
      }
    },
    changed: () =>
      Array.from(changed, ({ space: number, key, state, last, reviewAt }) => {
        const { id, version, ttl } = spaceOf(number);
        return {
          space: id,
          key,
          version,
          state: JSON.stringify(state),
          event_time: last,
          review_at: reviewAt,
          ttl,
        };
      }),
    settle: () => changed.clear(),
    shrink(limit) {
      while (states.size > limit) {
        const oldest = states.oldest();
        if (oldest === undefined || changed.has(oldest)) return;
        counts[oldest.space] = (counts[oldest.space] ?? 0) - 1;
        states.dropOldest();
      }
    },
    counts: () => [...counts],
  };
}
