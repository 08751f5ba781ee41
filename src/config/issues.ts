import type { z } from 'zod';
import { didYouMean, oneOf, renderGot, type Problem } from './problem.ts';
import { keysOf, leafKind, schemasAt, valueAt } from './schema-walk.ts';

const TYPE_WORDS: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

/**
 * Says in our words what zod found wrong.
 *
 * @param schema what the whole file was held against, for the names of known options and what is secret
 * @param input what the whole file says
 */
export function problemsOf(issue: z.core.$ZodIssue, schema: z.core.$ZodType, input: unknown): Problem[] {
  const { path } = issue;
  const value = valueAt(input, path);
  const schemas = schemasAt(schema, path, input);
  const hidden = schemas.some((one) => leafKind(one) === 'secret');
  const wrong = (problem: string, expected: string, hideValue = hidden): Problem[] => [
    { path, at: 'value', problem, got: renderGot(value, hideValue), expected },
  ];

  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = keysOf(schemas);
      return issue.keys.map((key) => ({
        path: [...path, key],
        at: 'key',
        problem: `unknown option${didYouMean(key, known)}`,
        got: key,
        expected: oneOf(known),
      }));
    }
    case 'invalid_type': {
      const expected = TYPE_WORDS[issue.expected] ?? issue.expected;
      if (value === undefined) return missing(path, expected);
      // A value in place of a list or mapping of secrets may be one of them.
      return wrong('wrong type', typeHint(value, expected), hidden || /list|mapping/.test(expected));
    }
    case 'invalid_union':
    case 'invalid_value': {
      const values = choicesOf(issue).map(String);
      if (value === undefined) return missing(path, oneOf(values));
      return wrong(`not one of the choices${didYouMean(value, values)}`, oneOf(values));
    }
    case 'too_small':
      return wrong('too small', atLeast(issue));
    case 'too_big':
      return wrong('too large', `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`);
    case 'invalid_format':
      if (issue.format === 'url') return wrong('not a URL', 'an http:// or https:// URL');
      return wrong(
        'wrong format',
        inWords(issue.message) ?? `text that matches ${issue.pattern ?? issue.format}`,
      );
    default:
      return wrong('not valid', inWords(issue.message) ?? issue.message);
  }
}

const missing = (path: PropertyKey[], expected: string): Problem[] => [
  { path, at: 'parent', problem: 'is required', got: 'nothing', expected },
];

function choicesOf(issue: z.core.$ZodIssueInvalidUnion | z.core.$ZodIssueInvalidValue): readonly unknown[] {
  if (issue.code === 'invalid_value') return issue.values;
  return 'options' in issue ? (issue.options ?? []) : [];
}

const inWords = (message: string) => /^expected (.+)$/s.exec(message)?.[1];

function typeHint(value: unknown, expected: string): string {
  if (expected === 'text' && typeof value !== 'object') return 'text: put it in quotes';
  return expected;
}

function atLeast({ origin, minimum, inclusive }: z.core.$ZodIssueTooSmall): string {
  if (origin === 'string') return minimum === 1 ? 'text that is not empty' : `at least ${minimum} characters`;
  if (origin === 'array') return minimum === 1 ? 'at least one entry' : `at least ${minimum} entries`;
  return `${inclusive === false ? 'more than' : 'at least'} ${minimum}`;
}
