import { afterAll, beforeAll, expect, test } from 'vitest';
import { createReads, type Reads } from '../../../src/store/reads.ts';
import type { OpenedStore } from '../../../src/store/open.ts';
import { startClickHouse, type TestClickHouse } from '../../support/clickhouse.ts';
import { NOON, sampleAction, sampleAlert, sampleFinding, sampleSealed } from './samples.ts';

let clickhouse: TestClickHouse;
let store: OpenedStore;
let reads: Reads;

beforeAll(async () => {
  clickhouse = await startClickHouse();
  store = await clickhouse.open();
  reads = createReads(store);
});
afterAll(async () => {
  await store.close();
  await clickhouse.stop();
});

test('an alert that grew counts once, as its latest version', async () => {
  const first = sampleAlert('alert-grows', { sub: 'grower' });
  const grown = sampleAlert('alert-grows', {
    sub: 'grower',
    version: 2,
    time: NOON - 40 * 86_400_000,
    // A withdrawn finding can put the clock of an alert back.
    updated: NOON - 5_000,
    risk: 0.99,
  });
  await store.write({ alerts: [grown] });
  await store.write({ alerts: [first] });
  expect(await reads.listAlerts({ sub: 'grower', limit: 10 })).toEqual([{ ...grown, status: 'open' }]);
});

test('alerts are filtered and paged, latest first', async () => {
  const at = (minutes: number) => NOON + minutes * 60_000;
  const alerts = [0, 1, 2, 2, 3].map((minutes, index) =>
    sampleAlert(`page-${index}`, {
      sub: 'pager',
      client_id: `client-${index % 2}`,
      severity: index === 4 ? 'low' : 'high',
      updated: at(minutes),
      findings: [sampleFinding(`f-${index}`, { detector: index === 0 ? 'scope-drift' : 'token-replay' })],
    }),
  );
  await store.write({ alerts });
  const ids = async (filter: Partial<Parameters<Reads['listAlerts']>[0]>) =>
    (await reads.listAlerts({ sub: 'pager', limit: 10, ...filter })).map(({ alert_id }) => alert_id);

  expect(await ids({})).toEqual(['page-4', 'page-3', 'page-2', 'page-1', 'page-0']);
  expect(await ids({ severity: 'low' })).toEqual(['page-4']);
  expect(await ids({ client_id: 'client-1' })).toEqual(['page-3', 'page-1']);
  expect(await ids({ detector: 'scope-drift' })).toEqual(['page-0']);
  expect(await ids({ since: at(1), until: at(3) })).toEqual(['page-3', 'page-2', 'page-1']);
  expect(await ids({ status: 'resolved' })).toEqual([]);
  expect(await ids({ limit: 2 })).toEqual(['page-4', 'page-3']);
  expect(await ids({ limit: 2, before: { updated: at(2), alert_id: 'page-3' } })).toEqual([
    'page-2',
    'page-1',
  ]);
  expect(await ids({ sub: "x' OR 1 = 1 --" })).toEqual([]);
});

test('a receipt stands: asking for the same action again does not undo it', async () => {
  const asked = sampleAction('action-1', { alert_id: 'alert-of-action' });
  const confirmed = sampleAction('action-1', {
    alert_id: 'alert-of-action',
    state: 'confirmed',
    attempts: 1,
    detail: 'inactive',
    updated_at: NOON + 2_000,
  });
  await store.write({ actions: [asked] });
  expect(await reads.pendingActions()).toEqual([asked]);
  await store.write({ actions: [confirmed] });
  await store.write({ actions: [{ ...asked, updated_at: NOON + 9_000 }] });
  expect(await reads.getAction('action-1')).toEqual(confirmed);
  expect(await reads.pendingActions()).toEqual([]);
  expect(await reads.listActions({ alert_id: 'alert-of-action', limit: 5 })).toEqual([confirmed]);
  expect(await reads.listActions({ state: 'pending', limit: 5 })).toEqual([]);
  expect(await reads.listActions({ value: 'hash-of-token-1', handle: 'token', limit: 5 })).toEqual([
    confirmed,
  ]);
});

test('shadow actions are never resumed', async () => {
  await store.write({ actions: [sampleAction('action-shadow', { mode: 'shadow' })] });
  expect(await reads.pendingActions()).toEqual([]);
});

test('a sealed token is found by hash and by jti until it expires', async () => {
  const sealed = sampleSealed('hash-s');
  await store.write({ custody: [sealed, sampleSealed('hash-old', { expires_at: Date.now() - 1 })] });
  expect(await reads.sealedToken('hash-s')).toEqual(sealed);
  expect(await reads.sealedToken('jti-of-hash-s')).toEqual(sealed);
  expect(await reads.sealedToken('hash-old')).toBeNull();
});
