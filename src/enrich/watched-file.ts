import { stat } from 'node:fs/promises';
import { messageOf } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';

/** The content of a file that may be replaced while it is in use. */
export interface WatchedFile<T> {
  /** What the file held when it was last read whole. */
  current(): T;
  /** Stops looking; `current` stays. */
  close(): void;
}

/**
 * Loads a file and looks every `interval` ms whether it has changed. A changed file is loaded aside and then takes
 * the place of the old content at once; one that cannot be loaded is logged, and the old content stays until
 * the file changes again. Polling, since the files are often on network or overlay file systems that report no events.
 *
 * @param load reads the file; only the first call may throw to the caller
 * @param swapped called after new content took over
 */
export async function watchFile<T>(options: {
  path: string;
  interval: number;
  load: () => Promise<T>;
  swapped: () => void;
  log: Logger;
}): Promise<WatchedFile<T>> {
  const { path, interval, load, swapped, log } = options;
  let seen = await fingerprint(path).catch(() => 'missing');
  let content: T = await load();
  let closed = false;
  let timer = schedule();

  function schedule(): NodeJS.Timeout {
    return setTimeout(() => void look(), interval).unref();
  }

  async function look(): Promise<void> {
    try {
      await reload();
    } catch (error) {
      log.warn(
        { path },
        `the database file changed but cannot be used, the old one stays: ${messageOf(error)}`,
      );
    }
    if (!closed) timer = schedule();
  }

  async function reload(): Promise<void> {
    const before = await fingerprint(path).catch(() => 'missing');
    if (before === seen) return;
    const outcome = await load().then(
      (loaded) => ({ loaded }),
      (error: unknown) => ({ error }),
    );
    const settled = (await fingerprint(path).catch(() => 'missing')) === before;
    if (closed || !settled) return; // Still being written: what was read may be of two files.
    seen = before; // A broken file is tried and reported once, not every time.
    if ('error' in outcome) throw outcome.error;
    content = outcome.loaded;
    swapped();
    log.info({ path }, 'database file reloaded');
  }

  return {
    current: () => content,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** What changes when a file is written or replaced, even with times and size preserved. */
async function fingerprint(path: string): Promise<string> {
  const { mtimeMs, ctimeMs, size, ino } = await stat(path);
  return [mtimeMs, ctimeMs, size, ino].join(':');
}
