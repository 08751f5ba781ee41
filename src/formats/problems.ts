import type { z } from 'zod';

const SHOWN = 3;

type Issue = z.core.$ZodIssue;

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    input,
  );
}

function bound(word: string, limit: number | bigint, origin: string): string {
  return origin === 'string' ? `${word} ${limit} characters` : `${word} ${limit}`;
}

/** What is wrong with one field, without its value. */
function problem(issue: Issue, input: unknown): string {
  if (valueAt(input, issue.path) === undefined) return 'required';
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${issue.expected}`;
    case 'invalid_union': {
      const expected = issue.errors.flat().map((branch) => ('expected' in branch ? branch.expected : ''));
      return `expected ${[...new Set(expected)].filter(Boolean).join(' or ')}`;
    }
    case 'too_small':
      return bound('at least', issue.minimum, issue.origin);
    case 'too_big':
      return bound('at most', issue.maximum, issue.origin);
    case 'invalid_value':
      return `expected one of ${issue.values.map(String).join(', ')}`;
    case 'custom':
      return issue.message;
    default:
      return 'invalid';
  }
}

/**
 * The issues of a failed parse as `path: problem`, the first three. Never contains an input value: any field of
 * a line may hold a token. Paths are names of the schema and positions in lists.
 *
 * @param input what was parsed, to tell absent fields from wrong ones
 */
export function problems(error: z.ZodError, input: unknown): string {
  const shown = error.issues
    .slice(0, SHOWN)
    .map((issue) => `${issue.path.map(String).join('.')}: ${problem(issue, input)}`);
  const more = error.issues.length - shown.length;
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '');
}
