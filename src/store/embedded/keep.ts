import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../telemetry/log.ts';
import { launchEmbedded, type Embedded, type EmbeddedOptions } from './launch.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;

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

  async function relaunch(): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; !stopped(); pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        await delay(pause, undefined, { signal: stopping.signal });
        current = await launchEmbedded(again);
        return;
      } catch (error) {
        if (!stopped()) log.error(`embedded ClickHouse: ${messageOf(error)}`);
      }
    }
  }

  async function watch(): Promise<void> {
    while (!stopped()) {
      await current.ended;
      if (stopped()) return;
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
