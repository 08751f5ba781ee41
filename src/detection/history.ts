/** An entry of a {@link insertSorted} history: something that happened at an event time, with an id that breaks ties. */
export interface Timed {
  time: number;
  event_id: string;
}

/**
 * Inserts `entry` into `history`, which stays sorted by time, then id, so that the order of arrival leaves no trace.
 * An entry whose id is there already is a second delivery and is not inserted again.
 * Past `limit` entries the oldest goes.
 *
 * @returns the entry's index, or -1 where it was a repeat or older than all that a full history keeps
 */
export function insertSorted<T extends Timed>(history: T[], entry: T, limit: number): number {
  let at = history.length;
  while (at > 0) {
    const before = history[at - 1];
    if (before === undefined || before.time < entry.time) break;
    if (before.time === entry.time) {
      if (before.event_id === entry.event_id) return -1;
      if (before.event_id < entry.event_id) break;
    }
    at -= 1;
  }
  history.splice(at, 0, entry);
  if (history.length <= limit) return at;
  history.shift();
  return at - 1;
}
