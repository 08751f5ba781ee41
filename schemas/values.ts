import { z } from 'zod';

/** The instants an event may claim: before 2000 no gateway logged OAuth tokens, from 2100 on it is a broken clock. */
export const EARLIEST_TIME = Date.UTC(2000, 0, 1);
export const LATEST_TIME = Date.UTC(2100, 0, 1);

const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** RFC 3339 text, or epoch milliseconds as a number; becomes epoch milliseconds. */
export const instant = z.union([z.number(), z.string()]).transform((input, ctx) => {
  const ms = typeof input === 'number' ? input : RFC3339.test(input) ? Date.parse(input) : Number.NaN;
  if (!Number.isFinite(ms)) {
    ctx.addIssue({ code: 'custom', message: 'expected RFC 3339 or epoch milliseconds', input });
    return z.NEVER;
  }
  if (ms < EARLIEST_TIME || ms >= LATEST_TIME) {
    const unit = typeof input === 'number' && ms * 1000 >= EARLIEST_TIME && ms > 0 ? ' (seconds?)' : '';
    ctx.addIssue({ code: 'custom', message: `expected a time in 2000 to 2099${unit}`, input });
    return z.NEVER;
  }
  return Math.trunc(ms);
});

/** From here on a number is no NumericDate of this millennium but milliseconds, as some gateways write them. */
const MILLISECONDS_FROM = 1e11;

/**
 * A JWT NumericDate (RFC 7519 section 2): seconds since the epoch; becomes epoch milliseconds.
 * Milliseconds are recognised by their size, and what lies beyond 2099 ("never expires") counts as its end.
 */
export const numericDate = z
  .number()
  .min(0)
  .transform((value) =>
    Math.min(Math.trunc(value >= MILLISECONDS_FROM ? value : value * 1000), LATEST_TIME - 1),
  );

/** A scope list (RFC 6749 section 3.3): space-separated text or an array; becomes a sorted list without repeats. */
export const scopeList = z
  .union([z.string(), z.array(z.string())])
  .transform((input) =>
    [...new Set((typeof input === 'string' ? input.split(/\s+/) : input).filter(Boolean))].sort(),
  );

/** One text or a list of texts (`aud` in RFC 7519, `amr`); becomes a list. */
export const textList = z.union([z.string().transform((one) => [one]), z.array(z.string())]);

/** A non-empty text of bounded length: a gateway that logs more is logging something else. */
export const text = (max = 2048) => z.string().min(1).max(max);

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A duration such as `500ms`, `15m` or `30d`; becomes milliseconds. */
export const duration = z
  .string()
  .regex(/^\d+(ms|s|m|h|d)$/, 'expected a duration such as 500ms, 30s, 15m, 12h or 30d')
  .transform((input) => {
    const unit = /[a-z]+$/.exec(input)?.[0] as keyof typeof DURATION_UNITS;
    return Number.parseInt(input, 10) * DURATION_UNITS[unit];
  });

const SIZE_UNITS = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;

/** A size such as `512KiB` or `1MiB`; becomes bytes. */
export const byteSize = z
  .string()
  .regex(/^\d+(B|KiB|MiB|GiB)$/, 'expected a size such as 512KiB, 1MiB or 2GiB')
  .transform((input) => {
    const unit = /[A-Za-z]+$/.exec(input)?.[0] as keyof typeof SIZE_UNITS;
    return Number.parseInt(input, 10) * SIZE_UNITS[unit];
  });
