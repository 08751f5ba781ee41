import type { StateRow } from '../../src/detection/keyed-state.ts';
import { RecallError } from '../../src/errors.ts';
import type { StateStore } from '../../src/store/state.ts';

/** Checkpoints in memory, for tests of faults that a real store does not show at will and for thousands of restarts. */
export function memoryStates(): StateStore & { checkpoints: number } {
  const owners = new Map<string, { owner: string; epoch: number }>();
  const wholes = new Map<string, string>();
  const rows = new Map<string, Map<string, StateRow>>();
  const nameOf = ({ space, key }: { space: string; key: string }) => `${space}\n${key}`;
  const of = (partition: string) => {
    const known = rows.get(partition) ?? new Map<string, StateRow>();
    rows.set(partition, known);
    return known;
  };
  const states: ReturnType<typeof memoryStates> = {
    checkpoints: 0,
    claim(partition, owner) {
      const claim = { partition, owner, epoch: (owners.get(partition)?.epoch ?? 0) + 1 };
      owners.set(partition, claim);
      return Promise.resolve(claim);
    },
    loadPartition: (partition) => Promise.resolve(wholes.get(partition) ?? null),
    loadStates: (partition, keys) =>
      Promise.resolve(keys.flatMap((key) => of(partition).get(nameOf(key)) ?? [])),
    loadSpace(space, about) {
      const partitions =
        'partition' in about
          ? [about.partition]
          : [...rows.keys()].filter((id) => !about.except.includes(id));
      return Promise.resolve(
        partitions.flatMap((partition) =>
          [...of(partition).values()]
            .filter((row) => row.space === space)
            .map((row) => ({ ...row, partition, written_at: 0 })),
        ),
      );
    },
    loadReviews: (partition) =>
      Promise.resolve(
        [...of(partition).values()].flatMap(({ space, key, review_at }) =>
          review_at === undefined ? [] : [{ space, key, review_at }],
        ),
      ),
    checkpoint({ partition, owner }, _number, whole, changed) {
      if (owners.get(partition)?.owner !== owner) {
        return Promise.reject(new RecallError('ERR_STATE_FENCED', `${partition} was taken over`));
      }
      states.checkpoints += 1;
      wholes.set(partition, whole);
      for (const row of changed) of(partition).set(nameOf(row), row);
      return Promise.resolve();
    },
    newestVersions: () => Promise.resolve(new Map()),
  };
  return states;
}
