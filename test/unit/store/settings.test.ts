import { expect, test } from 'vitest';
import { storeSettings } from '../../../src/store/settings.ts';

test('without replicas no request waits for a quorum, or asks for more than it says', () => {
  const { request, rows, together } = storeSettings({ replicated: false });
  expect(request).toEqual({});
  for (const settings of [rows, together])
    expect(Object.keys(settings).filter((name) => name.includes('quorum'))).toEqual([]);
});

test('with replicas most of them have a row before it is acknowledged, and no read skips a checkpoint', () => {
  const { request, rows, together } = storeSettings({ replicated: true });
  expect(rows).toMatchObject({ insert_quorum: 'auto', distributed_foreground_insert: 1 });
  expect(rows).not.toHaveProperty('insert_quorum_parallel');
  // Sequential reads see what was written one after the other, and only that.
  expect(together).toMatchObject({ insert_quorum: 'auto', insert_quorum_parallel: 0 });
  expect(request).toMatchObject({ select_sequential_consistency: '1' });
});

test('rows that are one are never dropped as seen before', () => {
  expect(storeSettings({ replicated: true }).together).toMatchObject({ insert_deduplicate: 0 });
});
