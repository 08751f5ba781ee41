import { EARLIEST_TIME, LATEST_TIME } from '../../schemas/values.ts';
import { RecallError } from '../errors.ts';

/** Largest distance from the epoch that a Date can show (ECMA-262 section 21.4.1.1). */
const MAX_DATE = 8.64e15;

const inBounds = (ms: number) => ms >= EARLIEST_TIME && ms < LATEST_TIME;

function show(ms: number): string {
  return Math.abs(ms) <= MAX_DATE ? new Date(ms).toISOString() : `${ms} ms`;
}

/**
 * Why a `time` that the schema refused is wrong: a number or a date outside 2000 to 2099, with the unit it seems
 * to be in; null where it is no time at all. Only numbers and dates are shown, never other text.
 */
export function timeProblem(value: unknown): string | null {
  const ms = typeof value === 'number' ? value : typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (!Number.isFinite(ms) || inBounds(ms)) return null;
  const unit =
    typeof value !== 'number'
      ? ''
      : inBounds(ms * 1000)
        ? ' (seconds? multiply by 1000)'
        : inBounds(ms / 1000)
          ? ' (microseconds? divide by 1000)'
          : inBounds(ms / 1e6)
            ? ' (nanoseconds? divide by 1000000)'
            : '';
  return `time: ${show(ms)} is outside 2000 to 2099; expected RFC 3339 or epoch milliseconds${unit}`;
}

/**
 * Refuses an event that says it happened after it arrived.
 *
 * @param now arrival, epoch ms; undefined in a backtest, where there is none
 * @param maxFuture how far ahead clocks may run, ms
 * @throws RecallError ERR_DECODE_TIME with both times
 */
export function checkFuture(time: number, now: number | undefined, maxFuture: number): void {
  if (now === undefined || time <= now + maxFuture) return;
  throw new RecallError(
    'ERR_DECODE_TIME',
    `time: ${show(time)} is more than ${maxFuture / 1000} s ahead of arrival at ${show(now)}`,
  );
}
