/** The value at a path of keys, or undefined where the path ends early. */
export function field(value: unknown, ...path: readonly string[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

/** A non-empty text, or undefined. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}

/** A finite number, also where it is written as text; the empty text is no zero. */
export function number(value: unknown): number | undefined {
  const read = typeof value === 'number' ? value : Number(text(value) ?? Number.NaN);
  return Number.isFinite(read) ? read : undefined;
}
