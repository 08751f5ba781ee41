import { afterEach, describe, expect, it } from 'vitest';
import type { Alert } from '../../../schemas/alert.ts';
import { secret } from '../../../schemas/secret.ts';
import { createDispatcher, type AlertDispatcher } from '../../../src/alerts/dispatcher.ts';
import type { AlertSink } from '../../../src/alerts/port.ts';
import { createWebhookSink } from '../../../src/alerts/sinks/webhook.ts';
import { RecallError } from '../../../src/errors.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { alertOf } from './alert.ts';
import { startReceiver } from './receiver.ts';

const log = createLogger('silent');
const limits = { firstWait: 1, longestWait: 2 };
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A sink that holds each delivery until it is let go, and fails when told to. */
function gatedSink(name = 'gated') {
  const sent: Alert[] = [];
  let arrived: (() => void) | undefined;
  let gate: ((error?: Error) => void) | undefined;
  let closed = 0;
  const sink: AlertSink = {
    name,
    send: (alert, signal) =>
      new Promise((resolve, reject) => {
        gate = (error) => {
          if (error) {
            reject(error);
            return;
          }
          sent.push(alert);
          resolve();
        };
        signal.addEventListener('abort', () => reject(new Error('aborted')));
        arrived?.();
      }),
    close: () => {
      closed += 1;
      return Promise.resolve();
    },
  };
  return {
    sink,
    sent,
    closed: () => closed,
    /** Resolves when a delivery is under way. */
    async underWay(): Promise<(error?: Error) => void> {
      if (gate === undefined) await new Promise<void>((resolve) => (arrived = resolve));
      arrived = undefined;
      const take = gate!;
      gate = undefined;
      return take;
    },
  };
}

function start(sinks: AlertSink[], options: Partial<Parameters<typeof createDispatcher>[0]> = {}) {
  const metrics = createMetrics();
  const dispatcher = createDispatcher({ sinks, log, metrics, limits, ...options });
  closers.push(() => dispatcher.close(0));
  const count = async (outcome: string) => {
    const { values } = await metrics.alertsSent.get();
    return values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0;
  };
  return { dispatcher, count };
}

const numbered = (id: number, version = 0) =>
  alertOf({ alert_id: `alert-${id}`, updated: alertOf().updated + version });
const names = (alerts: Alert[]) =>
  alerts.map(({ alert_id, updated }) => `${alert_id}.${updated - alertOf().updated}`);

describe('dispatcher', () => {
  it('delivers in order, and the newest version of what is unsent', async () => {
    const gated = gatedSink();
    const { dispatcher } = start([gated.sink]);
    for (const alert of [numbered(1), numbered(2, 1), numbered(3), numbered(2, 2)]) dispatcher.submit(alert);
    for (let turn = 0; turn < 3; turn += 1) (await gated.underWay())();
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual(['alert-1.0', 'alert-2.2', 'alert-3.0']);
  });

  it('sends a version that came in while the older one was being delivered', async () => {
    const gated = gatedSink();
    const { dispatcher } = start([gated.sink]);
    dispatcher.submit(numbered(1));
    const finish = await gated.underWay();
    dispatcher.submit(numbered(1, 1));
    finish();
    (await gated.underWay())();
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual(['alert-1.0', 'alert-1.1']);
  });

  it('tries again until the sink is back, says so, and then delivers the newest version', async () => {
    const gated = gatedSink();
    const { dispatcher, count } = start([gated.sink]);
    dispatcher.submit(numbered(1));
    const away = new RecallError('ERR_SINK_UNAVAILABLE', 'it is away');
    for (let turn = 0; turn < 4; turn += 1) (await gated.underWay())(away);
    const finish = await gated.underWay();
    expect(dispatcher.health()).toEqual({ gated: { ok: false, detail: 'it is away; 1 waiting' } });
    dispatcher.submit(numbered(1, 1));
    finish(away);
    (await gated.underWay())();
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual(['alert-1.1']);
    expect(await count('delivered')).toBe(1);
    expect(dispatcher.health().gated?.ok).toBe(true);
  });

  it('passes over what a sink refuses, and counts it', async () => {
    const gated = gatedSink();
    const { dispatcher, count } = start([gated.sink]);
    dispatcher.submit(numbered(1));
    dispatcher.submit(numbered(2));
    (await gated.underWay())(new RecallError('ERR_SINK_REFUSED', 'no'));
    (await gated.underWay())();
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual(['alert-2.0']);
    expect(await count('refused')).toBe(1);
  });

  it('lets one sink be away without holding up another', async () => {
    const stuck = gatedSink('stuck');
    const swift: Alert[] = [];
    const sink: AlertSink = {
      name: 'swift',
      send: (alert) => Promise.resolve(void swift.push(alert)),
      close: () => Promise.resolve(),
    };
    const { dispatcher } = start([stuck.sink, sink]);
    for (let id = 1; id <= 3; id += 1) dispatcher.submit(numbered(id));
    await stuck.underWay();
    await expect.poll(() => swift.length).toBe(3);
    expect(dispatcher.health().stuck?.detail).toBe('3 waiting');
  });

  it('holds bounded memory while a sink is away, and reads the rest back', async () => {
    const gated = gatedSink();
    const loaded: string[] = [];
    const load = (id: string) => {
      loaded.push(id);
      return Promise.resolve(numbered(Number(id.replace('alert-', '')), 7));
    };
    const { dispatcher } = start([gated.sink], { load, limits: { ...limits, alerts: 2 } });
    for (let id = 1; id <= 4; id += 1) dispatcher.submit(numbered(id));
    for (let turn = 0; turn < 4; turn += 1) (await gated.underWay())();
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual(['alert-1.0', 'alert-2.0', 'alert-3.7', 'alert-4.7']);
    expect(loaded).toEqual(['alert-3', 'alert-4']);
  });

  it('without a store to read from, lets go of the oldest past the bound, counts them and says so', async () => {
    const gated = gatedSink();
    const { dispatcher, count } = start([gated.sink], { limits: { ...limits, alerts: 2 } });
    for (let id = 1; id <= 4; id += 1) dispatcher.submit(numbered(id));
    for (let turn = 0; turn < 3; turn += 1) (await gated.underWay())();
    await dispatcher.idle();
    expect(names(gated.sent).slice(1)).toEqual(['alert-3.0', 'alert-4.0']);
    expect(await count('lost')).toBe(2);
    expect(dispatcher.health().gated?.ok).toBe(false);
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

  it('waits for what is under way when it closes before its deadline', async () => {
    const gated = gatedSink();
    const { dispatcher } = start([gated.sink]);
    dispatcher.submit(numbered(1));
    const finish = await gated.underWay();
    const closing = dispatcher.close(60_000);
    finish();
    await closing;
    expect(names(gated.sent)).toEqual(['alert-1.0']);
  });

  it('tells two sinks of one name apart', () => {
    const dispatcher: AlertDispatcher = start([gatedSink().sink, gatedSink().sink]).dispatcher;
    expect(Object.keys(dispatcher.health())).toEqual(['gated', 'gated#2']);
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
