import type { PolicyConfig } from '../../schemas/config.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;

/** Recalls within a sliding window, each counted once. */
function createWindow(span: number) {
  const times = new Map<string, number>();
  return {
    /** How many others than `id` there were in the window that ends at `now`. */
    others(id: string, now: number): number {
      for (const [other, time] of times) if (time <= now - span) times.delete(other);
      return times.size - (times.has(id) ? 1 : 0);
    },
    add(id: string, time: number): void {
      times.set(id, Math.max(time, times.get(id) ?? 0));
    },
  };
}

/** Limits automatic recalls: an attacker who can make traffic must not be able to log everybody out. */
export function createBudget(limits: PolicyConfig['budget']) {
  const overall = createWindow(MINUTE);
  const clients = new Map<string, ReturnType<typeof createWindow>>();

  function clientWindow(client: string): ReturnType<typeof createWindow> {
    const known = clients.get(client) ?? createWindow(HOUR);
    clients.set(client, known);
    return known;
  }

  function remember(token: string, client: string, time: number): void {
    overall.add(token, time);
    clientWindow(client).add(token, time);
  }

  return {
    /** Counts a recall that was decided before this process, or by another worker: the budget is that of all. */
    remember,
    /**
     * Takes the recall of one token from the budget, once however often it is decided; gives the reason where nothing
     * is left. `now` in epoch milliseconds.
     */
    take(token: string, client: string, now: number): string | null {
      if (overall.others(token, now) >= limits.per_minute) {
        return `the budget of ${limits.per_minute} automatic recalls a minute is used up`;
      }
      const ofClient = clientWindow(client);
      if (ofClient.others(token, now) >= limits.per_client_per_hour) {
        return `the budget of ${limits.per_client_per_hour} automatic recalls an hour for client ${client} is used up`;
      }
      remember(token, client, now);
      return null;
    },
  };
}
