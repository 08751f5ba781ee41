import type { Action } from '../../schemas/action.ts';

/** Looks an action up in the store; undefined where it is not there. */
export type StoredAction = (action_id: string) => Promise<Action | undefined>;

interface Look {
  readonly ids: Set<string>;
  readonly found: Promise<ReadonlyMap<string, Action>>;
}

/**
 * Shares queries among those who look at once: one query at a time, and who comes meanwhile goes with the next.
 *
 * @param read throws what the returned function throws
 */
export function createStoredAction(read: (ids: readonly string[]) => Promise<Action[]>): StoredAction {
  let next: Look | undefined;
  let last: Promise<unknown> = Promise.resolve();

  function prepare(): Look {
    const ids = new Set<string>();
    const found = last.then(async () => {
      next = undefined;
      const rows = await read([...ids]);
      return new Map(rows.map((row) => [row.action_id, row]));
    });
    last = found.catch(() => undefined);
    return { ids, found };
  }

  return async (action_id) => {
    next ??= prepare();
    next.ids.add(action_id);
    return (await next.found).get(action_id);
  };
}
