import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDeliveries } from '../../../src/alerts/deliveries.ts';
import { createDeadLetterReads } from '../../../src/store/dead-letters.ts';
import type { OpenedStore } from '../../../src/store/open.ts';
import { startCluster } from '../../support/clickhouse.ts';
import { sampleAlert, sampleDeadLetter } from '../store/samples.ts';

let cluster: Awaited<ReturnType<typeof startCluster>>;
let store: OpenedStore;
beforeAll(async () => {
  cluster = await startCluster();
  store = await cluster.open();
});
afterAll(async () => {
  await store.close();
  await cluster.stop();
});

const COUNT = 40;
const numbers = Array.from({ length: COUNT }, (_, n) => n);

it('what a sink has not taken is found on every shard, oldest first, once', async () => {
  const deliveries = createDeliveries(store);
  await deliveries.register(['s']);
  const alerts = numbers.map((n) => sampleAlert(`a-${n}`, { partition: 'p' }));
  await store.write({ alerts });
  await store.write({ alerts: alerts.map((alert) => ({ ...alert, version: 2 })) });
  expect(await deliveries.undelivered('p', 's', 100)).toHaveLength(COUNT);
  const taken = alerts.slice(0, 25).map(({ alert_id }) => alert_id);
  await deliveries.record(
    taken.map((alert_id) => ({
      sink: 's',
      alert_id,
      version: 2,
      outcome: 'delivered' as const,
      at: Date.now(),
    })),
  );
  const owed = await deliveries.undelivered('p', 's', 100);
  expect(owed.map(({ alert_id, version }) => `${alert_id}.${version}`).sort()).toEqual(
    alerts
      .slice(25)
      .map(({ alert_id }) => `${alert_id}.2`)
      .sort(),
  );
  expect(await deliveries.standings(taken)).toHaveLength(25);
});

it('dead letters and their outcomes are found on every shard', async () => {
  const letters = createDeadLetterReads(store);
  await store.write({ dead_letters: numbers.map((n) => sampleDeadLetter(`l-${n}`)) });
  await store.write({
    dead_letter_outcomes: numbers.slice(0, 15).map((n) => ({
      ...{ dead_letter_id: `l-${n}`, at: Date.now(), actor: 'tester' },
      ...{ outcome: 'accepted' as const, detail: '' },
    })),
  });
  expect(await letters.list({ redriven: true, limit: 100 })).toHaveLength(15);
  expect(await letters.originals({ redriven: false, limit: 100 })).toHaveLength(COUNT - 15);
  expect(
    await store.query(
      "SELECT countIf(redrive_outcome = 'accepted') AS n, count() AS all FROM refused_records",
    ),
  ).toEqual([{ n: 15, all: COUNT }]);
});
