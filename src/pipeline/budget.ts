import { messageOf } from '../errors.ts';
import type { Policy } from '../policy/decide.ts';
import type { Store } from '../store/port.ts';
import type { Logger } from '../telemetry/log.ts';

/** The longest window of the budget, and how often it is looked at what other workers took from it, ms. */
const WINDOW = 3_600_000;
const REFRESH = 5_000;

const RECALLS = `
  SELECT value, client_id, toUnixTimestamp64Milli(requested_at) AS at FROM actions FINAL
  WHERE requested_by = 'policy' AND mode = 'enforce' AND requested_at > fromUnixTimestamp64Milli({since:Int64})`;

export interface BudgetOptions {
  store: Pick<Store, 'query'>;
  policy: Pick<Policy, 'remember'>;
  log: Logger;
}

/**
 * Keeps the budget of automatic recalls over restarts and over workers: it is read from what was decided. Workers that
 * decide within the same seconds may together go past it by what each decides in them.
 *
 * @throws RecallError ERR_STORE_UNAVAILABLE where the first look fails
 */
export async function keepBudget({ store, policy, log }: BudgetOptions): Promise<{ close(): void }> {
  let looked = Date.now() - WINDOW;
  async function look(): Promise<void> {
    const now = Date.now();
    policy.remember(await store.query(RECALLS, { since: looked - REFRESH }));
    looked = now;
  }
  await look();
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    look()
      .catch((error: unknown) => log.debug(`reading what is left of the budget: ${messageOf(error)}`))
      .finally(() => (looking = false));
  }, REFRESH);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
