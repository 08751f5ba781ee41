import { createSketch, type Sketch } from './sketch.ts';

/** Distinct subjects counted exactly, as of any time. */
const EXACT = 64;

/**
 * Counts distinct subjects in bounded memory, as of any event time. The subjects with the earliest first uses are kept
 * by name and time, so that counts up to {@link EXACT} are exact; as soon as there are more, all are in a sketch that
 * remembers when each of its registers rose. Counting is idempotent and takes any order: the count as of a time is a
 * function of the uses up to that time and of nothing that comes after it.
 */
export interface Distinct {
  /**
   * Counts a subject.
   *
   * @param hash its {@link hash32}
   * @returns whether this changed anything
   */
  add(subject: string, hash: number, time: number): boolean;
  /** Subjects whose first use was at `at` or before; above 64 an estimate. */
  count(at: number): number;
  /** Earliest use of all, Infinity where there was none. */
  readonly first: number;
  /** All of it as plain data, of which {@link createDistinct} makes an equal one. */
  encode(): EncodedDistinct;
}

/** A {@link Distinct} as JSON keeps it. */
export interface EncodedDistinct {
  /** The subjects known by name, each with the time of its first use. */
  firsts: [subject: string, time: number][];
  /** The sketch, base64, where there is one. */
  sketch?: string | undefined;
  /** Absent where there was no use. */
  first?: number | undefined;
}

/** FNV-1a (32 bits) with the final mix of MurmurHash3, for the sketch and nothing else. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Creates a counter, empty or as it was encoded. It takes about 100 bytes a subject up to 64 subjects, and 5 to 10 KB
 * more beyond.
 */
export function createDistinct(encoded?: EncodedDistinct): Distinct {
  const firsts = new Map<string, number>(encoded?.firsts);
  let sketch: Sketch | null = encoded?.sketch === undefined ? null : createSketch(encoded.sketch);
  let first = encoded?.first ?? Infinity;
  let latest = Math.max(-Infinity, ...firsts.values());

  function dropLatest(): void {
    let drop: string | undefined;
    latest = -Infinity;
    let second = -Infinity;
    for (const [subject, time] of firsts) {
      if (time > latest) {
        second = latest;
        latest = time;
        drop = subject;
      } else if (time > second) second = time;
    }
    if (drop !== undefined) firsts.delete(drop);
    latest = second;
  }

  return {
    add(subject, hash, time) {
      if (time < first) first = time;
      const rose = sketch?.add(hash, time) ?? false;
      // One more than is exact: it tells that an estimate is due, as of its time.
      if (firsts.size > EXACT && time >= latest) return rose;
      const known = firsts.get(subject);
      if (known !== undefined && time >= known) return rose;
      firsts.set(subject, time);
      if (time > latest) latest = time;
      if (firsts.size > EXACT && sketch === null) {
        sketch = createSketch();
        for (const [name, since] of firsts) sketch.add(hash32(name), since);
      }
      if (firsts.size > EXACT + 1) dropLatest();
      return true;
    },
    count(at) {
      let exact = 0;
      for (const time of firsts.values()) if (time <= at) exact += 1;
      return exact <= EXACT || sketch === null ? exact : Math.max(exact, sketch.estimate(at));
    },
    get first() {
      return first;
    },
    encode: () => ({
      firsts: [...firsts],
      ...(sketch !== null && { sketch: sketch.encode() }),
      ...(first !== Infinity && { first }),
    }),
  };
}
