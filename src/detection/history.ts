/** An entry of a history: something that happened at an event time, with an id that breaks ties. */
export interface Timed {
  time: number;
  event_id: string;
}

/**
 * Inserts `entry` into `history`, which stays sorted by time, then id, so that the order of arrival leaves no trace.
 * An entry whose id is there already is a second delivery and is not inserted again.
 */
export function insertSorted<T extends Timed>(history: T[], entry: T): void {
  let at = history.length;
  while (at > 0) {
    const before = history[at - 1];
    if (before === undefined || before.time < entry.time) break;
    if (before.time === entry.time) {
      if (before.event_id === entry.event_id) return;
      if (before.event_id < entry.event_id) break;
    }
    at -= 1;
  }
  history.splice(at, 0, entry);
}

/** How much of a history stays. */
export interface Bounds {
  /** So many of the latest entries stay, however old. */
  least: number;
  /** Beyond these no entry stays. */
  most: number;
  /** What is not before this event time stays, within `most`. */
  since: number;
}

/**
 * The entries that stay: the latest ones by `timeOf`, which is the latest event time an entry rests on. With `since`
 * two allowed latenesses back, an entry that something is still added to within one lateness never goes before,
 * whatever the order of arrival.
 */
export function latestOf<T>(
  list: readonly T[],
  timeOf: (entry: T) => Timed,
  { least, most, since }: Bounds,
): T[] {
  if (list.length <= least) return [...list];
  const ranked = list
    .map((entry) => ({ entry, at: timeOf(entry) }))
    .sort((a, b) => b.at.time - a.at.time || (a.at.event_id < b.at.event_id ? 1 : -1));
  const stay = new Set(
    ranked
      .filter(({ at }, rank) => rank < least || (rank < most && at.time >= since))
      .map(({ entry }) => entry),
  );
  return list.filter((entry) => stay.has(entry));
}

/** Entries of ordinary length that a state has room for without being measured. */
const ROOM = 24;
/** Entries let go of before a state is measured again. */
const AT_ONCE = 4;

/**
 * Lets go of entries once the state, as JSON, is longer than `limit` characters, until it is a quarter shorter: the
 * last resort against input that is out of all proportion. Measuring costs as much as all the rest, so it is done only
 * where there are many entries, or what was just added is long.
 *
 * @param how.dropOldest lets go of one entry; false where there is none left that may go
 * @param how.prune lets go of what nothing names any more
 */
export function shrinkTo(
  limit: number,
  state: unknown,
  { entries, isLong }: { entries: number; isLong: boolean },
  how: { dropOldest(): boolean; prune(): void },
): void {
  if (entries <= ROOM && !isLong) return;
  let length = JSON.stringify(state).length;
  if (length <= limit) return;
  for (let isMore = true; isMore && length > limit * 0.75; length = JSON.stringify(state).length) {
    for (let dropped = 0; isMore && dropped < AT_ONCE; dropped += 1) isMore = how.dropOldest();
    how.prune();
  }
}
