import type { HealthReport } from '../api/deps.ts';
import { messageOf } from '../errors.ts';
import type { Source } from '../sources/port.ts';
import type { Store } from '../store/port.ts';
import type { Logger } from '../telemetry/log.ts';

const INTERVAL = 2000;
/** How long the store may take for a trivial query before it counts as away, in milliseconds. */
const ANSWER_WITHIN = 3000;

interface Part {
  ok: boolean;
  detail: string;
}

export interface HealthOptions {
  store: Pick<Store, 'ping'>;
  sources: readonly Source[];
  outbox: { pending(): number; health(): Record<string, Part> };
  /** State partitions that this worker has open. */
  partitions: () => number;
  log: Logger;
}

/**
 * Watches the parts of a worker, so that a probe is answered from memory and costs nothing.
 * The store is asked at once and every 2 s, by one ping at a time: one that gets no answer within 3 s makes the
 * store count as away, and no other follows until it has ended.
 */
export function createHealth({ store, sources, outbox, partitions, log }: HealthOptions) {
  let sinkHealth = (): Record<string, Part> => ({});
  // It was opened, and so has answered, just before.
  let storeHealth: Part = { ok: true, detail: 'answers' };
  let looking = false;
  let patience: NodeJS.Timeout | undefined;

  const answers = () => {
    if (!storeHealth.ok) log.info('the store answers again');
    storeHealth = { ok: true, detail: 'answers' };
  };
  const isAway = (detail: string) => {
    if (storeHealth.ok) log.warn(`the store does not answer: ${detail}`);
    storeHealth = { ok: false, detail };
  };

  async function look(): Promise<void> {
    if (looking) return;
    looking = true;
    patience = setTimeout(() => isAway(`no answer for ${ANSWER_WITHIN / 1000} s`), ANSWER_WITHIN);
    patience.unref();
    try {
      await store.ping();
      answers();
    } catch (error) {
      isAway(messageOf(error));
    } finally {
      clearTimeout(patience);
      looking = false;
    }
  }

  void look();
  const timer = setInterval(() => void look(), INTERVAL);
  timer.unref();

  return {
    /** Ready means: events are taken in and made durable. A sink or responder that is away degrades, no more. */
    report(): HealthReport {
      const components: Record<string, Part> = { store: storeHealth };
      for (const source of sources) components[`source ${source.name}`] = source.health();
      const ready = Object.values(components).every(({ ok }) => ok);
      components['partitions'] = { ok: true, detail: `${partitions()} open` };
      components['outbox'] = { ok: true, detail: `${outbox.pending()} actions wait` };
      for (const [issuer, health] of Object.entries(outbox.health()))
        components[`responder ${issuer}`] = health;
      for (const [name, health] of Object.entries(sinkHealth())) components[`sink ${name}`] = health;
      return { ready, components };
    },
    /** Adds the alert sinks, which start after the API that reports on them. */
    watchSinks(look: () => Record<string, Part>): void {
      sinkHealth = look;
    },
    close(): void {
      clearInterval(timer);
      clearTimeout(patience);
    },
  };
}
