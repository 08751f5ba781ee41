import { expect, it } from 'vitest';
import { createStoredAction } from '../../../src/response/stored.ts';
import { recallOf } from '../../integration/response/support.ts';

it('shares queries among those who look at once', async () => {
  const asked: string[][] = [];
  const rows = ['a', 'b', 'c'].map((action_id) => recallOf('token', { action_id }));
  const stored = createStoredAction((ids) => {
    asked.push([...ids]);
    return Promise.resolve(rows.filter(({ action_id }) => ids.includes(action_id)));
  });
  const first = stored('a');
  const together = Promise.all([stored('b'), stored('nobody'), stored('b')]);
  expect((await first)?.action_id).toBe('a');
  expect((await together).map((row) => row?.action_id)).toEqual(['b', undefined, 'b']);
  expect((await stored('c'))?.action_id).toBe('c');
  expect(asked).toEqual([['a', 'b', 'nobody'], ['c']]);
});

it('tells all who looked together of a failure, and none that comes after', async () => {
  let away = true;
  const row = recallOf('token', { action_id: 'a' });
  const stored = createStoredAction(() =>
    away ? Promise.reject(new Error('away')) : Promise.resolve([row]),
  );
  const both = await Promise.allSettled([stored('a'), stored('b')]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  away = false;
  expect(await stored('a')).toBe(row);
});
