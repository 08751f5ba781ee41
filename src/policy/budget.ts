import type { PolicyConfig } from '../../schemas/config.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;

/** Times of recalls within a sliding window. */
function createWindow(span: number) {
  let times: number[] = [];
  return {
    count(now: number): number {
      times = times.filter((time) => time > now - span);
      return times.length;
    },
    add(now: number): void {
      times.push(now);
    },
  };
}

/** Limits automatic recalls: an attacker who can make traffic must not be able to log everybody out. */
export function createBudget(limits: PolicyConfig['budget']) {
  const overall = createWindow(MINUTE);
  const clients = new Map<string, ReturnType<typeof createWindow>>();
  return {
    /** Takes one recall from the budget; gives the reason where nothing is left. `now` in epoch milliseconds. */
    take(client: string, now: number): string | null {
      if (overall.count(now) >= limits.per_minute) {
        return `the budget of ${limits.per_minute} automatic recalls a minute is used up`;
      }
      const ofClient = clients.get(client) ?? createWindow(HOUR);
      if (ofClient.count(now) >= limits.per_client_per_hour) {
        return `the budget of ${limits.per_client_per_hour} automatic recalls an hour for client ${client} is used up`;
      }
      overall.add(now);
      ofClient.add(now);
      clients.set(client, ofClient);
      return null;
    },
  };
}
