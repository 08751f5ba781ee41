import { createRandom } from '../../src/demo/random.ts';

/** How the authorization server misbehaves. */
export const ILLNESSES = ['500', '503', '429', 'hang'] as const;
export type Illness = (typeof ILLNESSES)[number];

/** What is done to a worker for a while: then another takes its place, or it goes on. */
type WorkerFault = 'kill-worker' | 'stop-worker' | 'freeze-worker';

/** One thing that is done to the parts. Workers are named by a number that is taken modulo those that run. */
export type Fault =
  | { readonly kind: 'join' }
  | { readonly kind: 'leave'; readonly worker: number }
  | { readonly kind: WorkerFault; readonly worker: number; readonly downMs: number }
  | { readonly kind: 'kill-store' | 'kill-kafka'; readonly downMs: number }
  | { readonly kind: 'sicken-authorization-server'; readonly illness: Illness; readonly downMs: number };

/** A fault and when it comes: the share of the stream that has been fed by then. */
export interface Planned {
  readonly at: number;
  readonly fault: Fault;
}

/** Longer than the session timeout of a worker's group membership, 15 s: its partitions go to others meanwhile. */
const FREEZE = [17_000, 21_000] as const;
const RESTART = [200, 3_000] as const;

/** all: every kind of fault, most of them several times; some: one of three themes, by the seed, for a short run. */
export type Amount = 'all' | 'some';

/** What is done in a run, in order: the seed decides it all. Workers come and go as `workers` says. */
export function planFaults(seed: number, workers: readonly number[], amount: Amount): Planned[] {
  const random = createRandom(seed + 3);
  const plan: Planned[] = [];
  const between = (low: number, high: number) => random.integer(low, high);
  const add = (low: number, high: number, fault: Fault) => {
    plan.push({ at: low + random.next() * (high - low), fault });
  };
  const onWorker = (low: number, high: number, kind: WorkerFault, down: readonly [number, number]) => {
    add(low, high, { kind, worker: between(0, 1_000), downMs: between(...down) });
  };
  const onServer = (low: number, high: number, illness: Illness) => {
    add(low, high, { kind: 'sicken-authorization-server', illness, downMs: between(2_000, 6_000) });
  };
  const onStore = (low: number, high: number) => {
    add(low, high, { kind: 'kill-store', downMs: between(500, 5_000) });
  };
  const onKafka = () => {
    add(0.15, 0.85, { kind: 'kill-kafka', downMs: between(500, 4_000) });
  };

  comeAndGo(workers, add, () => between(0, 1_000));
  const theme = amount === 'all' ? amount : seed % 3;
  if (theme === 'all' || theme === 0) onWorker(0.35, 0.6, 'kill-worker', RESTART);
  if (theme === 'all' || theme === 1) {
    onWorker(0.4, 0.6, 'freeze-worker', FREEZE);
    onStore(0.5, 0.9);
  }
  if (theme === 'all' || theme === 2) {
    onKafka();
    onWorker(0.3, 0.9, 'stop-worker', RESTART);
  }
  if (theme === 'all') {
    onWorker(0.05, 0.3, 'kill-worker', RESTART);
    onWorker(0.65, 0.9, 'kill-worker', RESTART);
    onStore(0.1, 0.45);
  }
  // Thefts come from the second third on.
  ILLNESSES.forEach((illness, at) => {
    const low = 0.35 + at * 0.14;
    if (theme === 'all' || at % 3 === theme) onServer(low, low + 0.12, illness);
  });
  return plan.sort((a, b) => a.at - b.at);
}

/** Workers come and go around the borders of as many equal parts of the stream as there are numbers of them. */
function comeAndGo(
  workers: readonly number[],
  add: (low: number, high: number, fault: Fault) => void,
  which: () => number,
): void {
  workers.forEach((count, part) => {
    const before = workers[part - 1] ?? count;
    const border = part / workers.length;
    for (let extra = before; extra < count; extra += 1) add(border - 0.1, border + 0.02, { kind: 'join' });
    for (let less = count; less < before; less += 1) {
      add(border - 0.02, border + 0.1, { kind: 'leave', worker: which() });
    }
  });
}
