import { afterEach, describe, expect, it } from 'vitest';
import { secret } from '../../../schemas/secret.ts';
import { createDispatcher } from '../../../src/alerts/dispatcher.ts';
import type { AlertSink } from '../../../src/alerts/port.ts';
import { createWebhookSink } from '../../../src/alerts/sinks/webhook.ts';
import { RecallError } from '../../../src/errors.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { deliveriesInMemory } from './deliveries.ts';
import { startReceiver } from './receiver.ts';
import { gatedSink, names, numbered, openSink } from './sinks.ts';

const log = createLogger('silent');
const limits = { first: 1, longest: 2 };
const away = new RecallError('ERR_SINK_UNAVAILABLE', 'it is away');
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function start(sinks: AlertSink[]) {
  const metrics = createMetrics();
  const memory = deliveriesInMemory();
  const { deliveries } = memory;
  const dispatcher = createDispatcher({ sinks, deliveries, log, metrics, limits });
  closers.push(() => dispatcher.close(0));
  const count = async (outcome: string) => {
    const { values } = await metrics.alertsSent.get();
    return values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0;
  };
  return { dispatcher, count, ...memory };
}

describe('dispatcher', () => {
  it('delivers in order, and the newest version of what is unsent', async () => {
    const gated = gatedSink();
    const { dispatcher } = start([gated.sink]);
    for (const alert of [numbered(1), numbered(2, 2), numbered(3), numbered(2, 3)]) dispatcher.submit(alert);
    for (let turn = 0; turn < 3; turn += 1) (await gated.underWay())();
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual(['1.1', '2.3', '3.1']);
  });

  it('sends a version that came in while the older one was being delivered', async () => {
    const gated = gatedSink();
    const { dispatcher } = start([gated.sink]);
    dispatcher.submit(numbered(1));
    const finish = await gated.underWay();
    dispatcher.submit(numbered(1, 2));
    finish();
    (await gated.underWay())();
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual(['1.1', '1.2']);
  });

  it('sends no version twice, and none after a newer one', async () => {
    const gated = gatedSink();
    const { dispatcher } = start([gated.sink]);
    dispatcher.submit(numbered(1, 5));
    const finish = await gated.underWay();
    for (const version of [5, 4]) dispatcher.submit(numbered(1, version));
    finish();
    await dispatcher.idle();
    for (const version of [4, 5]) dispatcher.submit(numbered(1, version));
    await dispatcher.idle();
    dispatcher.submit(numbered(1, 6));
    dispatcher.submit(numbered(1, 3));
    (await gated.underWay())();
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual(['1.5', '1.6']);
  });

  it('tries again until the sink is back, says so, and then delivers the newest version', async () => {
    const gated = gatedSink();
    const { dispatcher, count } = start([gated.sink]);
    dispatcher.submit(numbered(1));
    for (let turn = 0; turn < 4; turn += 1) (await gated.underWay())(away);
    const finish = await gated.underWay();
    expect(dispatcher.health()).toEqual({ gated: { ok: false, detail: 'it is away; 1 waiting' } });
    dispatcher.submit(numbered(1, 2));
    finish(away);
    (await gated.underWay())();
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual(['1.2']);
    expect(await count('delivered')).toBe(1);
    expect(dispatcher.health().gated?.ok).toBe(true);
  });

  it('passes over what a sink refuses, counts it, and does not send that version again', async () => {
    const gated = gatedSink();
    const { dispatcher, count, recorded } = start([gated.sink]);
    dispatcher.submit(numbered(1));
    dispatcher.submit(numbered(2));
    (await gated.underWay())(new RecallError('ERR_SINK_REFUSED', 'no'));
    (await gated.underWay())();
    dispatcher.submit(numbered(1));
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual(['2.1']);
    expect(await count('refused')).toBe(1);
    expect(recorded).toMatchObject([
      { alert_id: 'alert-1', outcome: 'refused' },
      { alert_id: 'alert-2', outcome: 'delivered' },
    ]);
  });

  it('lets one sink be away without holding up another', async () => {
    const stuck = gatedSink('stuck');
    const swift = openSink('swift');
    const { dispatcher } = start([stuck.sink, swift.sink]);
    for (let id = 1; id <= 3; id += 1) dispatcher.submit(numbered(id));
    await stuck.underWay();
    await expect.poll(() => swift.sent.length).toBe(3);
    expect(dispatcher.health().stuck?.detail).toBe('3 waiting');
  });

  it('sends on while deliveries cannot be recorded, and records them once they can', async () => {
    const swift = openSink();
    const { dispatcher, fail, recorded } = start([swift.sink]);
    fail(new RecallError('ERR_STORE_UNAVAILABLE', 'ClickHouse is away'));
    dispatcher.submit(numbered(1));
    dispatcher.submit(numbered(2));
    await expect.poll(() => swift.sent.length).toBe(2);
    expect(recorded).toEqual([]);
    fail(undefined);
    await dispatcher.idle();
    expect(names(recorded)).toEqual(['1.1', '2.1']);
  });

  it('closes at its deadline with a sink that is away, and takes nothing more', async () => {
    const gated = gatedSink();
    const { dispatcher } = start([gated.sink]);
    dispatcher.submit(numbered(1));
    await gated.underWay();
    await dispatcher.close(1);
    dispatcher.submit(numbered(2));
    await dispatcher.idle();
    expect(gated.sent).toEqual([]);
    expect(gated.closed()).toBe(1);
  });

  it('waits for what is under way, and for the note of it, when it closes before its deadline', async () => {
    const gated = gatedSink();
    const { dispatcher, recorded } = start([gated.sink]);
    dispatcher.submit(numbered(1));
    const finish = await gated.underWay();
    const closing = dispatcher.close(60_000);
    finish();
    await closing;
    expect(names(gated.sent)).toEqual(['1.1']);
    expect(names(recorded)).toEqual(['1.1']);
  });

  it('tells sinks of one name apart, whichever is configured first', () => {
    const one = { ...openSink('same').sink, address: 'one' };
    const two = { ...openSink('same').sink, address: 'two' };
    const other = openSink('other').sink;
    const sinks = (all: AlertSink[]) => Object.keys(start(all).dispatcher.health());
    const [first = '', second = '', third] = sinks([one, two, other]);
    expect([first, second]).toEqual([expect.stringMatching(/^same#/), expect.stringMatching(/^same#/)]);
    expect(third).toBe('other');
    expect(sinks([two, one])).toEqual([second, first]);
    expect(sinks([one, one])).toEqual([first, `${first}#2`]);
  });

  it('delivers to a real receiver once it is back, every alert once', async () => {
    const receiver = await startReceiver([{ status: 503 }, { status: 503 }, { status: 429 }]);
    closers.push(() => receiver.close());
    const sink = createWebhookSink(
      { kind: 'webhook', url: receiver.url, secret: secret('k'.repeat(32)), timeout: 5000, format: 'native' },
      (alert) => alert.alert_id,
    );
    const { dispatcher } = start([sink]);
    for (let id = 1; id <= 3; id += 1) dispatcher.submit(numbered(id));
    await dispatcher.idle();
    expect(receiver.deliveries.slice(3).map(({ body }) => body)).toEqual(['alert-1', 'alert-2', 'alert-3']);
  });
});
