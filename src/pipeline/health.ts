import type { HealthReport } from '../api/deps.ts';
import { messageOf } from '../errors.ts';
import type { Source } from '../sources/port.ts';
import type { Store } from '../store/port.ts';
import type { Logger } from '../telemetry/log.ts';

const INTERVAL = 2000;

interface Part {
  ok: boolean;
  detail: string;
}

export interface HealthOptions {
  store: Store;
  sources: readonly Source[];
  outbox: { pending(): number };
  log: Logger;
}

/** Watches the parts of a worker, so that a probe is answered from memory and costs nothing. */
export function createHealth({ store, sources, outbox, log }: HealthOptions) {
  let sinkHealth = (): Record<string, Part> => ({});
  let storeHealth: Part = { ok: true, detail: 'answers' };

  async function look(): Promise<void> {
    try {
      await store.ping();
      if (!storeHealth.ok) log.info('the store answers again');
      storeHealth = { ok: true, detail: 'answers' };
    } catch (error) {
      if (storeHealth.ok) log.warn(`the store does not answer: ${messageOf(error)}`);
      storeHealth = { ok: false, detail: messageOf(error) };
    }
  }

  const timer = setInterval(() => void look(), INTERVAL);
  timer.unref();

  return {
    /** Ready means: events are taken in and made durable. A sink or responder that is away degrades, no more. */
    report(): HealthReport {
      const components: Record<string, Part> = { store: storeHealth };
      for (const source of sources) components[`source ${source.name}`] = source.health();
      const ready = Object.values(components).every(({ ok }) => ok);
      components.outbox = { ok: true, detail: `${outbox.pending()} actions wait` };
      for (const [name, health] of Object.entries(sinkHealth())) components[`sink ${name}`] = health;
      return { ready, components };
    },
    /** Adds the alert sinks, which start after the API that reports on them. */
    watchSinks(look: () => Record<string, Part>): void {
      sinkHealth = look;
    },
    close(): void {
      clearInterval(timer);
    },
  };
}
