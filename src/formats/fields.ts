import type { z } from 'zod';
import { RecallError } from '../errors.ts';
import { canonicalAddress } from './address.ts';
import { keepable, scrubText, type TokenReplacement } from './extra.ts';
import type { Line } from './format.ts';
import { problems } from './problems.ts';
import { timeProblem } from './time.ts';

/** A line taken apart: what the schema names, and the rest. Both are copies that the decoder owns. */
export interface Fields {
  known: Record<string, unknown>;
  rest: Record<string, unknown>;
}

/**
 * Takes a line apart. Nulls and empty texts count as absent: gateways write them for what they do not know
 * (nginx writes every unset variable as "").
 */
export function splitLine(line: Line, names: ReadonlySet<string>): Fields {
  const known: Record<string, unknown> = {};
  const rest: Record<string, unknown> = {};
  for (const key of Object.keys(line)) {
    const value = line[key];
    if (value === null || value === '' || key === '__proto__') continue;
    if (names.has(key)) known[key] = value;
    else rest[key] = value;
  }
  return { known, rest };
}

function scrubbed(value: unknown, replace: TokenReplacement | undefined): unknown {
  if (typeof value === 'string') return scrubText(value, replace);
  if (Array.isArray(value)) {
    return value.map((item: unknown) =>
      typeof item === 'string' ? scrubText(item, replace) : keepable(item, replace),
    );
  }
  // What is open-ended inside (`act`, `cnf`) is treated as unknown fields are.
  return typeof value === 'object' ? keepable(value, replace) : value;
}

/** Takes the raw token out of every field but `token` itself, in place. */
export function scrubFields(known: Record<string, unknown>, replace: TokenReplacement | undefined): void {
  for (const key of Object.keys(known)) {
    if (key !== 'token') known[key] = scrubbed(known[key], replace);
  }
}

/** The unknown fields as they may be kept, or undefined where there are none. */
export function extraOf(
  rest: Record<string, unknown>,
  replace: TokenReplacement | undefined,
): Record<string, unknown> | undefined {
  if (Object.keys(rest).length === 0) return undefined;
  const kept = keepable(rest, replace);
  return typeof kept === 'object' && kept !== null && Object.keys(kept).length > 0 ? { ...kept } : undefined;
}

/**
 * Checks fields against their schema.
 *
 * @throws RecallError ERR_DECODE_TIME where `time` is out of bounds, ERR_DECODE_SCHEMA for everything else
 */
export function checkFields<T>(schema: z.ZodType<T>, known: Record<string, unknown>): T {
  const parsed = schema.safeParse(known);
  if (parsed.success) return parsed.data;
  const outOfBounds = parsed.error.issues.some((issue) => issue.path[0] === 'time')
    ? timeProblem(known['time'])
    : null;
  if (outOfBounds !== null) throw new RecallError('ERR_DECODE_TIME', outOfBounds);
  throw new RecallError('ERR_DECODE_SCHEMA', problems(parsed.error, known));
}

/**
 * The canonical text of the address in `field`.
 *
 * @throws RecallError ERR_DECODE_ADDRESS
 */
export function checkAddress(text: string, field: string): string {
  const address = canonicalAddress(text);
  if (address === null) throw new RecallError('ERR_DECODE_ADDRESS', `${field}: not an IP address`);
  return address;
}
