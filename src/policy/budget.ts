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
    add(id: string, now: number): void {
      times.set(id, now);
    },
  };
}

/** Limits automatic recalls: an attacker who can make traffic must not be able to log everybody out. */
export function createBudget(limits: PolicyConfig['budget']) {
  const overall = createWindow(MINUTE);
  const clients = new Map<string, ReturnType<typeof createWindow>>();
  return {
    /**
     * Takes the recall of one token from the budget, once however often it is decided; gives the reason where nothing
     * is left. `now` in epoch milliseconds.
     */
    take(token: string, client: string, now: number): string | null {
      if (overall.others(token, now) >= limits.per_minute) {
        return `the budget of ${limits.per_minute} automatic recalls a minute is used up`;
      }
      const ofClient = clients.get(client) ?? createWindow(HOUR);
      if (ofClient.others(token, now) >= limits.per_client_per_hour) {
        return `the budget of ${limits.per_client_per_hour} automatic recalls an hour for client ${client} is used up`;
      }
      overall.add(token, now);
      ofClient.add(token, now);
      clients.set(client, ofClient);
      return null;
    },
  };
}
