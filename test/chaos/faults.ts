import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaBroker } from '../support/kafka.ts';
import type { AuthorizationServerProcess } from './authorization-server.ts';
import type { Fault, Planned } from './plan.ts';
import type { StoreProcess } from './store.ts';
import type { Fleet } from './workers.ts';

/** One line of what was done: seconds since the feeding began, and what. */
export interface Done {
  readonly at: number;
  readonly what: string;
}

export interface FaultsOptions {
  plan: readonly Planned[];
  fleet: Fleet;
  store: StoreProcess;
  kafka: KafkaBroker;
  authorizationServer: AuthorizationServerProcess;
}

type Part = 'store' | 'kafka' | 'authorization server' | 'workers' | 'frozen worker';

/** Carries the plan out while the stream is fed. Faults of different parts overlap; those of one part take turns. */
export function createFaults({ plan, fleet, store, kafka, authorizationServer }: FaultsOptions) {
  const began = Date.now();
  const log: Done[] = [];
  const left = [...plan];
  const under = new Map<Part, Promise<void>>();
  const failures: unknown[] = [];
  let kills = 0;
  const say = (what: string) => log.push({ at: (Date.now() - began) / 1000, what });

  /** Does one thing after what is under way at the same part. */
  function inTurn(part: Part, work: () => Promise<void>): void {
    const before = under.get(part) ?? Promise.resolve();
    under.set(
      part,
      before.then(work).catch((error: unknown) => {
        failures.push(error);
        say(`failed: ${String(error)}`);
      }),
    );
  }

  async function downAndUp(
    what: string,
    part: { kill(): Promise<void>; restart(): Promise<void> },
    downMs: number,
  ) {
    await part.kill();
    kills += 1;
    say(`SIGKILL of ${what}`);
    await delay(downMs);
    await part.restart();
    say(`${what} runs again`);
  }

  /** What a fault does, and to which part. */
  function workOf(fault: Fault): readonly [Part, () => Promise<void>] {
    switch (fault.kind) {
      case 'join':
        return ['workers', async () => void say(`${await fleet.join()} joins`)];
      case 'leave':
        return ['workers', async () => void say(`${await fleet.leave(fault.worker)} left on SIGTERM`)];
      case 'kill-worker':
      case 'stop-worker':
        return [
          'workers',
          async () => {
            if (fault.kind === 'kill-worker') {
              say(`SIGKILL of ${await fleet.kill(fault.worker)}`);
              kills += 1;
            } else say(`SIGTERM of ${await fleet.leave(fault.worker)}`);
            await delay(fault.downMs);
            say(`${await fleet.join()} starts in its place`);
          },
        ];
      case 'freeze-worker':
        // On its own: the other workers go on meanwhile, and are killed too.
        return [
          'frozen worker',
          async () => {
            const frozen = fleet.freeze(fault.worker);
            say(`SIGSTOP of ${frozen?.name ?? 'nobody: no worker runs'}`);
            if (frozen === null) return;
            await delay(fault.downMs);
            frozen.thaw();
            say(`SIGCONT of ${frozen.name}`);
          },
        ];
      case 'kill-store':
        return ['store', () => downAndUp('ClickHouse', store, fault.downMs)];
      case 'kill-kafka':
        return ['kafka', () => downAndUp('Kafka', kafka, fault.downMs)];
      case 'sicken-authorization-server':
        return [
          'authorization server',
          async () => {
            await authorizationServer.sicken(fault.illness);
            say(
              `the authorization server ${fault.illness === 'hang' ? 'hangs' : `answers ${fault.illness}`}`,
            );
            await delay(fault.downMs);
            await authorizationServer.sicken(null);
            say('the authorization server is well');
          },
        ];
    }
  }

  return {
    log,
    /** Processes ended by SIGKILL so far. */
    kills: () => kills,
    /** Carries out what is due by now. */
    progress(share: number): void {
      for (let next = left[0]; next !== undefined && next.at <= share; next = left[0]) {
        left.shift();
        inTurn(...workOf(next.fault));
      }
    },
    /** Resolves when all that was begun is over and every part is well again. */
    async over(): Promise<void> {
      await Promise.all(under.values());
      if (failures.length > 0) throw failures[0];
    },
  };
}
