import { afterEach, describe, expect, it } from 'vitest';
import type { QueueLimits } from '../../../src/alerts/queue.ts';
import { createDispatcher } from '../../../src/alerts/dispatcher.ts';
import type { AlertSink } from '../../../src/alerts/port.ts';
import { RecallError } from '../../../src/errors.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { deliveriesInMemory } from './deliveries.ts';
import { gatedSink, names, numbered, openSink, recorded } from './sinks.ts';

const log = createLogger('silent');
const storeAway = new RecallError('ERR_STORE_UNAVAILABLE', 'ClickHouse is away');
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A dispatcher over what `memory` holds, as a process of its own would be. */
function start(sinks: AlertSink[], memory = deliveriesInMemory(), limits: Partial<QueueLimits> = {}) {
  const dispatcher = createDispatcher({
    sinks,
    deliveries: memory.deliveries,
    log,
    metrics: createMetrics(),
    limits: { first: 1, longest: 2, ...limits },
  });
  closers.push(() => dispatcher.close(0));
  return { dispatcher, memory };
}

describe('more alerts than memory is to hold', () => {
  it('come back from the store as the sink takes them, in order, each once', async () => {
    const gated = gatedSink();
    const { dispatcher, memory } = start([gated.sink], undefined, { alerts: 3, page: 2 });
    for (let id = 1; id <= 10; id += 1) dispatcher.submit(memory.keep(numbered(id)));
    const finish = await gated.underWay();
    expect(dispatcher.health().gated?.detail).toBe('3 waiting, and more in ClickHouse');
    finish();
    for (let turn = 2; turn <= 10; turn += 1) (await gated.underWay())();
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((id) => `${id}.1`));
    expect(dispatcher.health().gated).toEqual({ ok: true, detail: '0 waiting' });
  });

  it('that come in while others are read back are neither lost nor sent twice', async () => {
    const swift = openSink();
    const { dispatcher, memory } = start([swift.sink], undefined, { alerts: 3, page: 2 });
    for (let id = 1; id <= 200; id += 1) {
      dispatcher.submit(memory.keep(numbered(id)));
      if (id % 7 === 0) await Promise.resolve();
    }
    await dispatcher.idle();
    const sent = names(swift.sent);
    expect(sent).toHaveLength(200);
    expect(new Set(sent).size).toBe(200);
  });

  it('that come in while the store is asked are not lost, though the answer lacks them', async () => {
    const swift = openSink();
    const { dispatcher, memory } = start([swift.sink]);
    memory.keep(numbered(1));
    const release = memory.hold();
    await dispatcher.resume('p');
    await expect.poll(() => memory.asked).toContain('undelivered p');
    dispatcher.submit(memory.keep(numbered(2)));
    release();
    await dispatcher.idle();
    expect(names(swift.sent)).toEqual(['1.1', '2.1']);
  });

  it('are not read back before the store knows what was taken', async () => {
    const swift = openSink();
    const { dispatcher, memory } = start([swift.sink], undefined, { alerts: 3, page: 2 });
    memory.fail(storeAway, 'record');
    for (let id = 1; id <= 10; id += 1) dispatcher.submit(memory.keep(numbered(id)));
    await expect.poll(() => swift.sent.length).toBe(3);
    await expect.poll(() => memory.asked.filter((what) => what === 'record').length).toBeGreaterThan(2);
    memory.fail(undefined);
    await dispatcher.idle();
    expect(names(swift.sent)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((id) => `${id}.1`));
  });

  it('of one partition do not keep those of another waiting in the store for ever', async () => {
    const swift = openSink();
    const { dispatcher, memory } = start([swift.sink], undefined, { alerts: 2, page: 2 });
    for (let id = 1; id <= 20; id += 1) memory.keep(numbered(id, 1, { partition: id % 2 === 0 ? 'p' : 'q' }));
    await Promise.all([dispatcher.resume('p'), dispatcher.resume('q')]);
    await dispatcher.idle();
    expect(swift.sent).toHaveLength(20);
    const early = swift.sent.slice(0, 8).map(({ partition }) => partition);
    expect(new Set(early)).toEqual(new Set(['p', 'q']));
  });

  it('are read back later where the store does not answer, and new ones go out meanwhile', async () => {
    const swift = openSink();
    const { dispatcher, memory } = start([swift.sink], undefined, { first: 60_000, longest: 60_000 });
    memory.keep(numbered(1));
    await dispatcher.resume('q');
    await dispatcher.idle();
    memory.fail(storeAway, 'undelivered');
    const asked = memory.asked.length;
    await dispatcher.resume('p');
    await expect.poll(() => memory.asked.slice(asked)).toContain('undelivered p');
    dispatcher.submit(numbered(2, 1, { partition: 'q' }));
    await expect.poll(() => names(swift.sent)).toEqual(['2.1']);
    memory.fail(undefined);
    dispatcher.submit(numbered(3, 1, { partition: 'q' }));
    await expect.poll(() => names(swift.sent)).toEqual(['2.1', '3.1', '1.1']);
  });
});

describe('a partition that is taken over', () => {
  it('sends what the process before it did not, and nothing else', async () => {
    const memory = deliveriesInMemory();
    const before = gatedSink('sink');
    const first = start([before.sink], memory).dispatcher;
    for (let id = 1; id <= 3; id += 1) first.submit(memory.keep(numbered(id)));
    memory.keep(recorded(4));
    (await before.underWay())();
    (await before.underWay())(new RecallError('ERR_SINK_REFUSED', 'no'));
    await before.underWay();
    await first.close(0);
    memory.keep(numbered(1, 2));

    const after = openSink('sink');
    const second = start([after.sink], memory).dispatcher;
    await second.resume('p');
    await second.idle();
    expect(names(after.sent)).toEqual(['1.2', '3.1']);
  });

  it('makes the sinks known first, as often as it takes', async () => {
    const { dispatcher, memory } = start([openSink('a').sink, openSink('b').sink]);
    memory.fail(storeAway);
    const resumed = dispatcher.resume('p');
    await expect.poll(() => memory.asked.filter((what) => what === 'register a,b').length).toBeGreaterThan(2);
    expect(memory.asked).not.toContain('undelivered p');
    memory.fail(undefined);
    await resumed;
    await dispatcher.idle();
    expect(memory.asked).toContain('undelivered p');
  });

  it('and lost again before that sends nothing', async () => {
    const swift = openSink();
    const { dispatcher, memory } = start([swift.sink]);
    memory.keep(numbered(1));
    memory.fail(storeAway);
    const resumed = dispatcher.resume('p');
    await dispatcher.drop('p');
    memory.fail(undefined);
    await resumed;
    await dispatcher.idle();
    expect(swift.sent).toEqual([]);
  });
});

describe('a partition that is lost', () => {
  it('ends what is under way, writes it down, and leaves the rest to its new owner', async () => {
    const gated = gatedSink();
    const { dispatcher, memory } = start([gated.sink]);
    dispatcher.submit(memory.keep(numbered(1)));
    dispatcher.submit(memory.keep(numbered(2)));
    dispatcher.submit(memory.keep(numbered(3, 1, { partition: 'q' })));
    const finish = await gated.underWay();
    memory.fail(storeAway, 'record');
    const dropped = dispatcher.drop('p');
    finish();
    await expect.poll(() => memory.asked.filter((what) => what === 'record').length).toBeGreaterThan(1);
    memory.fail(undefined);
    await dropped;
    expect(names(memory.recorded)).toEqual(['1.1']);
    (await gated.underWay())();
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual(['1.1', '3.1']);
  });

  it('sends nothing of what was being read back', async () => {
    const swift = openSink();
    const { dispatcher, memory } = start([swift.sink]);
    memory.keep(numbered(1));
    const release = memory.hold();
    await dispatcher.resume('p');
    await expect.poll(() => memory.asked).toContain('undelivered p');
    await dispatcher.drop('p');
    release();
    await dispatcher.idle();
    expect(swift.sent).toEqual([]);
  });

  it('breaks off what takes too long', async () => {
    const gated = gatedSink();
    const { dispatcher, memory } = start([gated.sink], undefined, { handOver: 1 });
    dispatcher.submit(memory.keep(numbered(1)));
    await gated.underWay();
    await dispatcher.drop('p');
    await dispatcher.idle();
    expect(gated.sent).toEqual([]);
    expect(memory.recorded).toEqual([]);
    expect(dispatcher.health().gated).toEqual({ ok: true, detail: '0 waiting' });
  });
});

describe('an alert of which policy makes no more than a record', () => {
  it('goes to the sinks that took it before, also before the start, and to no other', async () => {
    const memory = deliveriesInMemory();
    const told = openSink('told');
    const first = start([told.sink], memory).dispatcher;
    first.submit(memory.keep(numbered(1)));
    await first.close(60_000);

    const again = openSink('told');
    const fresh = openSink('fresh');
    const second = start([again.sink, fresh.sink], memory).dispatcher;
    for (const alert of [recorded(1, 2), recorded(2)]) second.submit(memory.keep(alert));
    await second.idle();
    expect(names(again.sent)).toEqual(['1.2']);
    expect(fresh.sent).toEqual([]);
    const questions = () => memory.asked.filter((what) => what.startsWith('standings')).length;
    const before = questions();
    second.submit(recorded(2, 2));
    await second.idle();
    expect(questions()).toBe(before);
  });

  it('takes an unsent version of it back', async () => {
    const gated = gatedSink();
    const { dispatcher, memory } = start([gated.sink]);
    dispatcher.submit(memory.keep(numbered(1)));
    const finish = await gated.underWay();
    dispatcher.submit(memory.keep(numbered(2)));
    dispatcher.submit(memory.keep(recorded(2, 2)));
    await expect.poll(() => dispatcher.health().gated?.detail).toBe('1 waiting');
    finish();
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual(['1.1']);
  });

  it('is told after the version that is being sent', async () => {
    const gated = gatedSink();
    const { dispatcher, memory } = start([gated.sink]);
    dispatcher.submit(memory.keep(numbered(1)));
    const finish = await gated.underWay();
    dispatcher.submit(memory.keep(recorded(1, 2)));
    finish();
    (await gated.underWay())();
    await dispatcher.idle();
    expect(names(gated.sent)).toEqual(['1.1', '1.2']);
  });

  it('counts no more once a newer version is to be told', async () => {
    const swift = openSink();
    const { dispatcher, memory } = start([swift.sink]);
    dispatcher.submit(memory.keep(recorded(1, 1)));
    dispatcher.submit(memory.keep(numbered(1, 2)));
    await dispatcher.idle();
    expect(names(swift.sent)).toEqual(['1.2']);
  });
});
