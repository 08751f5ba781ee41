import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Alert } from '../../../schemas/alert.ts';
import { secret } from '../../../schemas/secret.ts';
import { createDeliveries } from '../../../src/alerts/deliveries.ts';
import { createDispatcher } from '../../../src/alerts/dispatcher.ts';
import { createWebhookSink } from '../../../src/alerts/sinks/webhook.ts';
import type { OpenedStore } from '../../../src/store/open.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { silent, startClickHouse, type TestClickHouse } from '../../support/clickhouse.ts';
import { startReceiver } from '../../unit/alerts/receiver.ts';
import { sampleAlert } from '../store/samples.ts';

let clickhouse: TestClickHouse;
let store: OpenedStore;
const closers: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  clickhouse = await startClickHouse();
  store = await clickhouse.open();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
afterAll(async () => {
  await store.close();
  await clickhouse.stop();
});

/** An alert of state partition `partition`. */
const of = (partition: string, alert_id: string, change: Partial<Alert> = {}) =>
  sampleAlert(alert_id, { partition, ...change });
const record = { ...sampleAlert('x').decision, action: 'record' as const };
const ids = (alerts: readonly Alert[]) => alerts.map(({ alert_id, version }) => `${alert_id}.${version}`);
const delivered = (sink: string, alert_id: string, version: number) =>
  ({ sink, alert_id, version, outcome: 'delivered', at: Date.now() }) as const;

describe('what a sink has not taken', () => {
  it('is each alert of the partition in its current version, until it took or refused that one', async () => {
    const deliveries = createDeliveries(store);
    await deliveries.register(['s', 't']);
    await store.write({ alerts: [of('p1', 'b'), of('p1', 'a'), of('p1', 'c'), of('p2', 'other')] });
    const owed = async (sink: string) => ids(await deliveries.undelivered('p1', sink, 10));
    expect(await owed('s')).toEqual(['a.1', 'b.1', 'c.1']);
    expect(ids(await deliveries.undelivered('p1', 's', 2))).toEqual(['a.1', 'b.1']);

    await deliveries.record([delivered('s', 'a', 1), { ...delivered('s', 'b', 1), outcome: 'refused' }]);
    expect(await owed('s')).toEqual(['c.1']);
    expect(await owed('t')).toEqual(['a.1', 'b.1', 'c.1']);

    await store.write({ alerts: [of('p1', 'a', { version: 2 })] });
    expect(await owed('s')).toEqual(['c.1', 'a.2']);
    await deliveries.record([delivered('s', 'a', 2)]);
    await deliveries.record([delivered('s', 'a', 1)]);
    expect(await owed('s')).toEqual(['c.1']);
  });

  it('is the whole alert, as it was raised', async () => {
    const deliveries = createDeliveries(store);
    await deliveries.register(['whole']);
    const alert = of('p3', 'whole', {
      sid: 'session-1',
      decision: { ...record, action: 'approval', missing: ['x'] },
    });
    await store.write({ alerts: [alert] });
    expect(await deliveries.undelivered('p3', 'whole', 10)).toEqual([alert]);
  });

  it('holds a mere record only for a sink that took an earlier version', async () => {
    const deliveries = createDeliveries(store);
    await deliveries.register(['knows', 'refused', 'never']);
    await store.write({ alerts: [of('p4', 'withdrawn', { version: 2, decision: record })] });
    await deliveries.record([
      delivered('knows', 'withdrawn', 1),
      { ...delivered('refused', 'withdrawn', 1), outcome: 'refused' },
    ]);
    expect(ids(await deliveries.undelivered('p4', 'knows', 10))).toEqual(['withdrawn.2']);
    expect(await deliveries.undelivered('p4', 'refused', 10)).toEqual([]);
    expect(await deliveries.undelivered('p4', 'never', 10)).toEqual([]);
    expect(await deliveries.standings(['withdrawn', 'unheard-of'])).toEqual(
      expect.arrayContaining([
        { sink: 'knows', alert_id: 'withdrawn', version: 1, knows: true },
        { sink: 'refused', alert_id: 'withdrawn', version: 1, knows: false },
      ]),
    );
  });

  it('begins with the first time that the sink is known, whenever it is made known again', async () => {
    const deliveries = createDeliveries(store);
    await store.write({ alerts: [of('p5', 'before')] });
    await deliveries.register(['late']);
    await store.write({ alerts: [of('p5', 'after')] });
    await deliveries.register(['late']);
    expect(ids(await deliveries.undelivered('p5', 'late', 10))).toEqual(['after.1']);
  });
});

/** A worker's dispatcher with a store of its own, as a process would have it. */
async function startDispatcher(url: string) {
  const own = await clickhouse.open();
  const sink = createWebhookSink(
    { kind: 'webhook', url, secret: secret('k'.repeat(32)), timeout: 5000, format: 'native' },
    (alert) => alert.alert_id,
  );
  const dispatcher = createDispatcher({
    sinks: [sink],
    deliveries: createDeliveries(own),
    log: silent,
    metrics: createMetrics(),
    limits: { first: 5, longest: 20, alerts: 20, page: 10 },
  });
  closers.push(async () => {
    await dispatcher.close(0);
    await own.close();
  });
  return dispatcher;
}

describe('a webhook over restarts', () => {
  it('gets every alert once: those that waited in memory, and those that only ClickHouse held', async () => {
    const away = Array.from({ length: 1000 }, () => ({ status: 503 }));
    const receiver = await startReceiver(away);
    closers.push(() => receiver.close());
    const first = await startDispatcher(receiver.url);
    await first.resume('p6');
    const alerts = Array.from({ length: 100 }, (_, n) => of('p6', `w-${String(n).padStart(3, '0')}`));
    await store.write({ alerts });
    for (const alert of alerts) first.submit(alert);
    await receiver.received(5);
    expect(Object.values(first.health())[0]?.detail).toMatch(/20 waiting, and more in ClickHouse$/);
    // Five are taken, then the receiver is away again, and the worker ends.
    away.splice(0, away.length, ...Array.from({ length: 5 }, () => ({ status: 204 })), ...away);
    await receiver.received(receiver.deliveries.length + 8);
    await first.close(0);
    expect(Object.values(first.health())[0]?.ok).toBe(false);

    away.length = 0;
    const before = receiver.deliveries.length;
    const second = await startDispatcher(receiver.url);
    await second.resume('p6');
    await second.idle();
    const again = receiver.deliveries.slice(before).map(({ body }) => body);
    expect(again).toHaveLength(95);
    expect(again).toEqual(alerts.slice(5).map(({ alert_id }) => alert_id));

    const third = await startDispatcher(receiver.url);
    await third.resume('p6');
    await third.idle();
    expect(receiver.deliveries).toHaveLength(before + 95);
  });

  it('is handed over from worker to worker without a repeat', async () => {
    const receiver = await startReceiver();
    closers.push(() => receiver.close());
    const one = await startDispatcher(receiver.url);
    const two = await startDispatcher(receiver.url);
    await one.resume('p7');
    const alerts = Array.from({ length: 30 }, (_, n) => of('p7', `h-${String(n)}`));
    await store.write({ alerts });
    for (const alert of alerts) one.submit(alert);
    await receiver.received(10);
    await one.drop('p7');
    await two.resume('p7');
    await two.idle();
    const keys = receiver.deliveries.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(30);
    expect(new Set(keys).size).toBe(30);
  });
});
