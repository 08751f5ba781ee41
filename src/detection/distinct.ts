/** Distinct subjects counted exactly, with the time of each one's first use. */
const EXACT = 64;
/** Registers of the sketch beyond that: a power of two. The standard error is 1.04/√256 = 6.5 %. */
const REGISTERS = 256;
const INDEX_BITS = 8;
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS);

/**
 * Counts distinct subjects in bounded memory. The {@link EXACT} subjects with the earliest first uses are kept by
 * name and time, so that small counts are exact as of any event time; all are in a HyperLogLog sketch (Flajolet et al.
 * 2007) as soon as there are more. Counting is idempotent and takes any order, so neither duplicates nor late arrivals
 * change what it ends at.
 */
export interface Distinct {
  /**
   * Counts a subject.
   *
   * @param hash its {@link hash32}
   * @returns whether this changed anything
   */
  add(subject: string, hash: number, time: number): boolean;
  /** Subjects whose first use was at `at` or before; past the exact count, an estimate of all of them. */
  count(at: number): number;
  /** Earliest use of all, Infinity where there was none. */
  readonly first: number;
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

/** Puts a hash into the sketch; returns whether a register rose. */
function sketchIn(registers: Uint8Array, hash: number): boolean {
  const index = hash >>> (32 - INDEX_BITS);
  const rank = Math.clz32((hash << INDEX_BITS) | (1 << (INDEX_BITS - 1))) + 1;
  if (rank <= (registers[index] ?? 0)) return false;
  registers[index] = rank;
  return true;
}

function estimate(registers: Uint8Array): number {
  let sum = 0;
  let empty = 0;
  for (const rank of registers) {
    sum += 2 ** -rank;
    if (rank === 0) empty += 1;
  }
  const raw = (ALPHA * REGISTERS * REGISTERS) / sum;
  // Linear counting is the better estimator while many registers are empty.
  const value = raw <= 2.5 * REGISTERS && empty > 0 ? REGISTERS * Math.log(REGISTERS / empty) : raw;
  return Math.round(value);
}

/** Creates an empty counter. It takes about 100 bytes a subject up to 64 subjects, and 300 bytes more beyond. */
export function createDistinct(): Distinct {
  const firsts = new Map<string, number>();
  let registers: Uint8Array | null = null;
  let first = Infinity;
  let latest = -Infinity;

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
      let rose = false;
      if (registers !== null) {
        rose = sketchIn(registers, hash);
        if (time >= latest) return rose;
      }
      const known = firsts.get(subject);
      if (known !== undefined && time >= known) return rose;
      firsts.set(subject, time);
      if (known === undefined && firsts.size > EXACT) {
        if (registers === null) {
          registers = new Uint8Array(REGISTERS);
          for (const name of firsts.keys()) sketchIn(registers, hash32(name));
        }
        dropLatest();
      } else if (time > latest) latest = time;
      return true;
    },
    count(at) {
      let exact = 0;
      for (const time of firsts.values()) if (time <= at) exact += 1;
      return exact < EXACT || registers === null ? exact : Math.max(EXACT + 1, estimate(registers));
    },
    get first() {
      return first;
    },
  };
}
