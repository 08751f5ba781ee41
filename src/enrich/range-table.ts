/** Ranges of addresses of one family, each with a small number, in flat arrays: 12 bytes a range for IPv4, 36 for IPv6. */
export interface RangeTable {
  readonly size: number;
  /** The value of the range that holds the address, or -1. */
  find(words: readonly number[]): number;
}

/** Collects ranges in ascending order of their first address. Where two overlap, the later one counts. */
export interface RangeTableBuilder {
  /**
   * Adds the range `first` to `last`, both inclusive; the words are copied.
   *
   * @returns false where the range is empty or does not start beyond the one before it
   */
  add(first: ArrayLike<number>, last: ArrayLike<number>, value: number): boolean;
  build(): RangeTable;
}

/** @param width 32-bit words an address has: 1 for IPv4, 4 for IPv6. */
export function createRangeTable(width: 1 | 4): RangeTableBuilder {
  let size = 0;
  let starts = new Uint32Array(1024 * width);
  let ends = new Uint32Array(1024 * width);
  let values = new Uint32Array(1024);

  return {
    add(first, last, value) {
      if (compare(first, 0, last, 0, width) > 0) return false;
      if (size > 0 && compare(first, 0, starts, (size - 1) * width, width) <= 0) return false;
      if (size === values.length) {
        starts = resized(starts, starts.length * 2);
        ends = resized(ends, ends.length * 2);
        values = resized(values, values.length * 2);
      }
      for (let i = 0; i < width; i++) {
        starts[size * width + i] = first[i] ?? 0;
        ends[size * width + i] = last[i] ?? 0;
      }
      values[size] = value;
      size += 1;
      return true;
    },
    build() {
      const first = resized(starts, size * width);
      const last = resized(ends, size * width);
      const held = resized(values, size);
      const count = size;
      return {
        size: count,
        find(words) {
          // The last range that starts at or before the address is the only one that can hold it.
          let low = 0;
          let high = count;
          while (low < high) {
            const middle = (low + high) >>> 1;
            if (compare(first, middle * width, words, 0, width) <= 0) low = middle + 1;
            else high = middle;
          }
          const at = low - 1;
          if (at < 0 || compare(words, 0, last, at * width, width) > 0) return -1;
          return held[at] ?? -1;
        },
      };
    },
  };
}

/** Compares `width` words of `a` from `i` with those of `b` from `j`, most significant first. */
function compare(a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number, width: number): number {
  for (let k = 0; k < width; k++) {
    const difference = (a[i + k] ?? 0) - (b[j + k] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function resized(array: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const copy = new Uint32Array(length);
  copy.set(length < array.length ? array.subarray(0, length) : array);
  return copy;
}
