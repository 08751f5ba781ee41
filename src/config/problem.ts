import { suggest } from './suggest.ts';

/** One thing wrong with a configuration. */
export interface Problem {
  /** Keys and indexes from the top of the file. */
  path: readonly PropertyKey[];
  /** Which place in the file shows it: the value, the key (of an unknown option), the parent (of a missing one). */
  at: 'value' | 'key' | 'parent';
  problem: string;
  /** What is there instead, in words; never a secret, never a value that an expansion gave. */
  got?: string | undefined;
  expected?: string | undefined;
}

/** A {@link Problem} and where it is; `line` and `column` count from 1 and are absent without a file. */
export interface LocatedProblem {
  file?: string | undefined;
  line?: number | undefined;
  column?: number | undefined;
  /** As {@link formatPath} writes it. */
  path: string;
  problem: string;
  got?: string | undefined;
  expected?: string | undefined;
}

/** A path as people write it: `sources[0].brokers`; of the file itself, `top level`. */
export function formatPath(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'top level';
  return path
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${String(key)}`))
    .join('');
}

/** `file:line:column path: problem (got X, expected Y)`, without the parts that are not known. */
export function formatProblem({ file, line, column, path, problem, got, expected }: LocatedProblem): string {
  const position = file === undefined ? '' : `${[file, line, column].filter(Boolean).join(':')} `;
  const details = [got && `got ${got}`, expected && `expected ${expected}`].filter(Boolean).join(', ');
  return `${position}${path}: ${problem}${details && ` (${details})`}`;
}

/** A value as an error shows it: short texts and scalars as they are, all else by kind. */
export function renderGot(value: unknown, hideValue: boolean): string {
  switch (typeof value) {
    case 'undefined':
      return 'nothing';
    case 'string':
      return hideValue ? 'text' : renderText(value);
    case 'number':
      return hideValue ? 'a number' : String(value);
    case 'boolean':
      return hideValue ? 'true or false' : String(value);
    default:
      if (value === null) return 'nothing';
      return Array.isArray(value) ? 'a list' : 'a mapping';
  }
}

/** A URL as it may be shown: without the user and password it may carry. */
export function maskUserInfo(text: string): string {
  return text.replace(/\/\/[^/\s]*@/, '//[redacted]@');
}

const MAX_SHOWN = 60;

function renderText(value: string): string {
  // What lacks the scheme of a URL may carry a password all the same.
  const masked = maskUserInfo(value).replace(/^[^/\s]*:[^/\s]*@/, '[redacted]@');
  return JSON.stringify(masked.length > MAX_SHOWN ? `${masked.slice(0, MAX_SHOWN)}…` : masked);
}

/** `, did you mean X?` where one of `known` is close to `word`, else nothing. */
export function didYouMean(word: unknown, known: readonly string[]): string {
  const close = typeof word === 'string' ? suggest(word, known) : undefined;
  return close === undefined ? '' : `, did you mean ${close}?`;
}

/** `one of a, b, c`, or `a` where there is one only. */
export function oneOf(values: readonly unknown[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`;
}
