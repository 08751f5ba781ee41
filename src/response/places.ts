import type { Lane } from './port.ts';

/** The places at one server: as many as it may be asked for at once, fewer while it fails. */
export interface Places {
  /**
   * Runs `attempt` when its turn comes, first come, first served. While the circuit of the lane is open nobody's turn
   * comes; then one goes, and the others when it has closed the circuit.
   *
   * @returns what `attempt` returns; undefined where `signal` aborts before its turn
   */
  take<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T | undefined>;
}

/** `setTimeout` takes no longer one. */
const LONGEST_TIMER = 2_147_483_647;

/** Not p-limit: what does not wait any longer has to leave the queue, which may stand still for hours. */
export function createPlaces({ concurrency, circuit }: Pick<Lane, 'concurrency' | 'circuit'>): Places {
  const queue = new Set<() => Promise<void>>();
  let taken = 0;
  let trying = false;
  let timer: NodeJS.Timeout | undefined;

  function next(): void {
    clearTimeout(timer);
    for (const turn of queue) {
      if (taken >= concurrency) return;
      const hold = circuit.holdFor();
      if (hold > 0) {
        timer = setTimeout(next, Math.min(Math.ceil(hold), LONGEST_TIMER));
        return;
      }
      const tries = circuit.state() !== 'closed';
      if (tries && trying) return;
      queue.delete(turn);
      void occupy(turn, tries);
    }
  }

  async function occupy(turn: () => Promise<void>, tries: boolean): Promise<void> {
    taken += 1;
    if (tries) trying = true;
    await turn();
    taken -= 1;
    if (tries) trying = false;
    next();
  }

  return {
    take: (attempt, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          resolve(undefined);
          return;
        }
        const leave = () => {
          queue.delete(turn);
          if (queue.size === 0) clearTimeout(timer);
          resolve(undefined);
        };
        const turn = async () => {
          signal.removeEventListener('abort', leave);
          await attempt().then(resolve, reject);
        };
        signal.addEventListener('abort', leave, { once: true });
        queue.add(turn);
        next();
      }),
  };
}
