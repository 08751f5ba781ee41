/** How far long work has come. */
export interface ProgressState {
  /** What is being done, such as `backtest`. */
  label: string;
  /** What is counted, in the plural, such as `events`. */
  unit: string;
  done: number;
  /** Share of the whole that is done, 0 to 1; undefined where the whole is not known. */
  share: number | undefined;
  /** Time since the start, in milliseconds. */
  elapsed: number;
}

/** Tells a person how long work is getting on. */
export interface Progress {
  /** Says that `done` are done; `share` (0 to 1) overrides what follows from the total. Cheap: call it often. */
  update(done: number, share?: number): void;
  /** Writes the last state and ends the line. */
  finish(): void;
}

/** What progress is written to: stderr, or a test's stand-in for it. */
export interface ProgressOutput {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}

const TERMINAL_INTERVAL = 100;
const PLAIN_INTERVAL = 5000;

/** A whole number with thousands separated by commas. */
const count = (value: number) => Math.round(value).toLocaleString('en-US');

/** `ms` as a person says it: `42s`, `3m05s`, `2h07m`. */
export function formatElapsed(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const pad = (value: number) => String(value).padStart(2, '0');
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${pad(seconds % 60)}s`;
  return `${Math.floor(seconds / 3600)}h${pad(Math.floor((seconds % 3600) / 60))}m`;
}

/**
 * One line of progress: `backtest  42%  420,000 events  105,000/s  4s elapsed  6s left`.
 * Share and time left are there only where the whole is known; the rate is the mean since the start.
 */
export function formatProgress({ label, unit, done, share, elapsed }: ProgressState): string {
  const known = share === undefined ? undefined : Math.min(Math.max(share, 0), 1);
  const parts = [label];
  if (known !== undefined) parts.push(`${Math.floor(known * 100)}%`);
  parts.push(`${count(done)} ${unit}`);
  if (elapsed > 0) parts.push(`${count((done * 1000) / elapsed)}/s`);
  parts.push(`${formatElapsed(elapsed)} elapsed`);
  if (known !== undefined && known > 0 && known < 1) {
    parts.push(`${formatElapsed((elapsed * (1 - known)) / known)} left`);
  }
  return parts.join('  ');
}

/**
 * Reports progress on stderr: on a terminal one line that rewrites itself, otherwise a line every 5 seconds,
 * with `quiet` nothing at all.
 *
 * @param options.total how many there are to do, where known
 */
export function createProgress(options: {
  label: string;
  unit: string;
  total?: number | undefined;
  quiet?: boolean | undefined;
  output?: ProgressOutput | undefined;
  /** Milliseconds of a monotonic clock. */
  clock?: (() => number) | undefined;
}): Progress {
  const {
    label,
    unit,
    total,
    quiet = false,
    output = process.stderr,
    clock = () => performance.now(),
  } = options;
  if (quiet) return { update: () => undefined, finish: () => undefined };
  const terminal = output.isTTY === true;
  const interval = terminal ? TERMINAL_INTERVAL : PLAIN_INTERVAL;
  const started = clock();
  let written = started;
  let done = 0;
  let share: number | undefined;

  function write(end: boolean) {
    const line = formatProgress({ label, unit, done, share, elapsed: clock() - started });
    if (!terminal) output.write(`${line}\n`);
    // A line as wide as the terminal would wrap, and a wrapped line cannot be rewritten.
    else output.write(`\r${line.slice(0, (output.columns ?? 80) - 1)}\u001B[K${end ? '\n' : ''}`);
  }

  return {
    update(now, known) {
      done = now;
      share = known ?? (total === undefined || total === 0 ? undefined : now / total);
      if (clock() - written < interval) return;
      written = clock();
      write(false);
    },
    finish: () => write(true),
  };
}
