import { setTimeout as delay } from 'node:timers/promises';
import { waitAfter, type Backoff } from '../../backoff.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../telemetry/log.ts';
import { launchEmbedded, type Embedded, type EmbeddedOptions } from './launch.ts';

const BACKOFF: Backoff = { first: 200, longest: 30_000 };

/** An engine that ends sooner than this after its start counts as one that failed to start. */
const STEADY_MS = 60_000;

/**
 * Starts the embedded ClickHouse and starts it again, on the same ports, whenever it ends by itself (killed, crashed,
 * out of memory). Writes meanwhile fail with ERR_STORE_UNAVAILABLE, and callers try again.
 *
 * @throws RecallError ERR_STORE_EMBEDDED where the first start fails
 */
export async function keepEmbedded(
  options: EmbeddedOptions,
  log: Logger,
): Promise<Pick<Embedded, 'endpoint' | 'credentials' | 'stop'>> {
  let current = await launchEmbedded(options);
  const { endpoint, credentials } = current;
  const again = { ...options, httpPort: Number(new URL(endpoint.url).port), tcpPort: endpoint.tcp?.port };
  const stopping = new AbortController();
  const stopped = () => stopping.signal.aborted;

  /** Ends of the engine in a row, and starts that failed. */
  let failures = 0;

  async function relaunch(): Promise<void> {
    while (!stopped()) {
      failures += 1;
      try {
        await delay(waitAfter(failures, BACKOFF), undefined, { signal: stopping.signal });
        current = await launchEmbedded(again);
        return;
      } catch (error) {
        if (!stopped()) log.error(`embedded ClickHouse: ${messageOf(error)}`);
      }
    }
  }

  async function watch(): Promise<void> {
    while (!stopped()) {
      const started = performance.now();
      await current.ended;
      if (stopped()) return;
      if (performance.now() - started > STEADY_MS) failures = 0;
      log.error(`the embedded ClickHouse (process ${current.endpoint.pid}) ended; starting it again`);
      await relaunch();
    }
  }
  const watching = watch();

  return {
    endpoint,
    credentials,
    async stop() {
      stopping.abort();
      await current.stop();
      await watching;
      // A relaunch that was under way when stopping began.
      await current.stop();
    },
  };
}
