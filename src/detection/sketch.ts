/** Registers: a power of two. The standard error is 1.04/√256 = 6.5 %. */
const REGISTERS = 256;
const INDEX_BITS = 8;
const RANK_BITS = 6;
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS);
/** Resolution of times, ms: with it, a time, a register and a rank fit into one safe integer until 2140. */
const TICK = 10;

/**
 * A HyperLogLog sketch (Flajolet et al. 2007) that answers as of any time: of each register it keeps not its height
 * but its rises, that is every rank that no earlier element had reached. The rises of a set of timed elements do not
 * depend on the order they are added in. There are about the logarithm of the count of them to a register.
 */
export interface Sketch {
  /** Adds an element by its 32-bit hash. Returns whether this changed anything. */
  add(hash: number, time: number): boolean;
  /** Estimated count of the elements of time `at` and before. */
  estimate(at: number): number;
  /** Base64, of which {@link createSketch} makes an equal one. */
  encode(): string;
}

/** One number for tick, register and rank, which sorts by time. */
const pack = (tick: number, register: number, rank: number) =>
  tick * 2 ** (INDEX_BITS + RANK_BITS) + register * 2 ** RANK_BITS + rank;
const tickOf = (rise: number) => Math.floor(rise / 2 ** (INDEX_BITS + RANK_BITS));
const registerOf = (rise: number) => Math.floor(rise / 2 ** RANK_BITS) % REGISTERS;
const rankOf = (rise: number) => rise % 2 ** RANK_BITS;

function estimateOf(heights: Uint8Array): number {
  let sum = 0;
  let empty = 0;
  for (const rank of heights) {
    sum += 2 ** -rank;
    if (rank === 0) empty += 1;
  }
  const raw = (ALPHA * REGISTERS * REGISTERS) / sum;
  // Linear counting is the better estimator while many registers are empty.
  const value = raw <= 2.5 * REGISTERS && empty > 0 ? REGISTERS * Math.log(REGISTERS / empty) : raw;
  return Math.round(value);
}

function decode(encoded: string): number[] {
  const bytes = Buffer.from(encoded, 'base64');
  return Array.from({ length: bytes.length / 8 }, (_, at) => bytes.readDoubleLE(at * 8));
}

/** Creates a sketch, empty or as it was encoded. */
export function createSketch(encoded = ''): Sketch {
  /** Sorted by time; those of one register rise with it. */
  let rises = decode(encoded);

  function heightsAt(tick: number): Uint8Array {
    const heights = new Uint8Array(REGISTERS);
    for (const rise of rises) {
      if (tickOf(rise) > tick) break;
      heights[registerOf(rise)] = rankOf(rise);
    }
    return heights;
  }
  const heights = heightsAt(Infinity);
  /** When each register rose last. */
  const risen = new Float64Array(REGISTERS);
  for (const rise of rises) risen[registerOf(rise)] = tickOf(rise);

  return {
    add(hash, time) {
      const register = hash >>> (32 - INDEX_BITS);
      const rank = Math.clz32((hash << INDEX_BITS) | (1 << (INDEX_BITS - 1))) + 1;
      // Rounded up: an estimate rests on nothing later than the time it is of.
      const tick = Math.ceil(time / TICK);
      const height = heights[register] ?? 0;
      if (rank <= height && tick >= (risen[register] ?? 0)) return false;
      const ofRegister = rises.filter((rise) => registerOf(rise) === register);
      if (ofRegister.some((rise) => tickOf(rise) <= tick && rankOf(rise) >= rank)) return false;
      const overtaken = new Set(ofRegister.filter((rise) => tickOf(rise) >= tick && rankOf(rise) <= rank));
      rises = [...rises.filter((rise) => !overtaken.has(rise)), pack(tick, register, rank)].sort(
        (a, b) => a - b,
      );
      if (rank >= height) {
        heights[register] = rank;
        risen[register] = tick;
      }
      return true;
    },
    estimate(at) {
      const tick = Math.floor(at / TICK);
      return estimateOf(tick >= tickOf(rises.at(-1) ?? 0) ? heights : heightsAt(tick));
    },
    encode() {
      const bytes = Buffer.alloc(rises.length * 8);
      rises.forEach((rise, at) => bytes.writeDoubleLE(rise, at * 8));
      return bytes.toString('base64');
    },
  };
}
