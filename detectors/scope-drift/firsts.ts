/** First times of things by name: of the earliest ones, as many as fit. */
export interface Firsts {
  times: Record<string, number>;
  /** First time of the earliest one that does not fit; null while all do. From then on not everything is known. */
  fullSince: number | null;
}

export interface Room {
  /** How many names fit, and how many characters of them in JSON. */
  names: number;
  characters: number;
}

export const noFirsts = (): Firsts => ({ times: {}, fullSince: null });

/** The smaller of two times, where there may be no first one. */
export const least = (a: number | null, b: number): number => (a === null ? b : Math.min(a, b));

/**
 * Takes up that `name` was there at `time`. What fits are always the earliest ones, so the order of calls does not
 * matter.
 */
export function noteFirst(firsts: Firsts, name: string, time: number, room: Room): void {
  const { times, fullSince } = firsts;
  const known = times[name];
  if (known !== undefined) {
    times[name] = Math.min(known, time);
    return;
  }
  if (fullSince !== null && time >= fullSince) return;
  const entries = Object.entries({ ...times, [name]: time });
  entries.sort(([a, since], [b, until]) => since - until || (a < b ? -1 : 1));
  let characters = 0;
  const end = entries.findIndex(([one], at) => {
    characters += JSON.stringify(one).length;
    return at >= room.names || characters > room.characters;
  });
  if (end === -1) {
    times[name] = time;
    return;
  }
  firsts.times = Object.fromEntries(entries.slice(0, end));
  const [, earliestGone = time] = entries[end] ?? [];
  firsts.fullSince = least(fullSince, earliestGone);
}
