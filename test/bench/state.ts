/*
 * How long a worker takes to go on after a restart, and what a live token costs in memory.
 *
 *   npm run bench:state [-- KEYS]
 *
 * Subjects with one live token each use it three times, which makes a state of each detector for each of them: KEYS in
 * all, one million unless told otherwise. They are checkpointed to a real ClickHouse, as a worker does. Then another
 * worker opens the partition and takes a batch of known subjects at random. All figures come from the one run.
 */
import { detectors as registry } from '../../detectors/registry.ts';
import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import { parseConfig } from '../../src/config/load.ts';
import { configureDetectors } from '../../src/detection/configure.ts';
import { createRandom } from '../../src/demo/random.ts';
import { createEnricher } from '../../src/enrich/enricher.ts';
import { createEngine } from '../../src/pipeline/engine.ts';
import { createPartitions } from '../../src/pipeline/partitions.ts';
import { createPolicy } from '../../src/policy/decide.ts';
import { createStateStore } from '../../src/store/state.ts';
import { silent, startClickHouse } from '../support/clickhouse.ts';
import { decode } from '../support/decoding.ts';
import { ordinaryTraffic } from '../support/traffic.ts';

const KEYS = Number(process.argv[2] ?? 1_000_000);
const SUBJECTS = Math.ceil(KEYS / registry.length);
const USES = 3;
const CHUNK = 20_000;
const BATCH = 5_000;
const FROM = Date.UTC(2026, 2, 1);

if (global.gc === undefined) throw new Error('run with --expose-gc: npm run bench:state');
const heap = () => {
  global.gc?.();
  return process.memoryUsage().heapUsed;
};
const seconds = (since: bigint) => Number(process.hrtime.bigint() - since) / 1e9;
const print = (what: string, value: string) =>
  process.stdout.write(`${what.padEnd(58)}${value.padStart(16)}\n`);
const count = (value: number, unit = '') => `${Math.round(value).toLocaleString('en')}${unit}`;

const { config } = parseConfig({});
const enricher = await createEnricher(config.enrich, silent);
const server = await startClickHouse();
const store = await server.open();

const newEngine = () =>
  createEngine({
    detectors: configureDetectors(registry, {}).configured,
    policy: createPolicy(config.policy, { shadowDetectors: new Set() }),
    allowedLateness: config.detection.allowed_lateness,
    onError: (_detector, _event, error) => {
      throw error;
    },
  });

/** One subject's events are those of traffic of one user, under a name of its own. */
const templates = Array.from({ length: 200 }, (_, seed) => {
  const options = {
    events: USES,
    users: 1,
    seed,
    from: FROM,
    to: FROM + 1_800_000,
    issuer: 'https://as.example',
  };
  return [...ordinaryTraffic(options)].map((line) => {
    const decoded = decode(line);
    if (!decoded.ok || decoded.event.kind !== 'access') throw new Error('no event');
    return enricher.enrich(decoded.event);
  });
});
const usesOf = (subject: number): EnrichedAccessEvent[] =>
  (templates[subject % templates.length] ?? []).map((use, at) => ({
    ...use,
    event_id: `${subject}-${at}`,
    request_id: `${subject}-${at}`,
    sub: `user-${subject}`,
    sid: `session-${subject}`,
    token_hash: `token-hash-of-forty-three-characters-${subject}`,
  }));

const partitionsOf = () =>
  createPartitions({
    states: createStateStore(store),
    store,
    log: silent,
    allowedLateness: config.detection.allowed_lateness,
    maxKeys: 10_000_000,
    untilTaken: (_what, write) => write(),
    createEngine: newEngine,
    actionsOf: () => Promise.resolve([]),
    onDetectorError: (_detector, _event, error) => {
      throw error;
    },
    onSkipped: () => undefined,
    onDurable: () => undefined,
    onOpened: () => Promise.resolve(),
    onClosed: () => Promise.resolve(),
    onLocalLost: () => undefined,
  });

/** Takes events as one batch; gives the seconds until it is durable. */
async function take(partitions: ReturnType<typeof partitionsOf>, events: EnrichedAccessEvent[]) {
  const started = process.hrtime.bigint();
  const partition = await partitions.of('local');
  const arrival = { source: 'bench', position: '0', received_at: Date.now() };
  await partition.take({ events: events.map((event) => ({ event, arrival })), custody: [], deadLetters: [] });
  return seconds(started);
}

const before = heap();
const first = partitionsOf();
let filled = 0;
for (let from = 0; from < SUBJECTS; from += CHUNK) {
  const subjects = Array.from({ length: Math.min(CHUNK, SUBJECTS - from) }, (_, at) => from + at);
  filled += await take(first, subjects.flatMap(usesOf));
}
const held = heap() - before;
const keys = Object.values(first.keys()).reduce((sum, one) => sum + one, 0);
const [size] = await store.query<{ bytes: number; compressed: number; rows: number }>(
  `SELECT sum(length(state)) AS bytes, count() AS rows,
     (SELECT sum(data_compressed_bytes) FROM system.columns WHERE database = currentDatabase() AND table = 'detector_state') AS compressed
   FROM detector_state FINAL WHERE space NOT IN ('', 'population')`,
);
print('live tokens, one a subject', count(SUBJECTS));
print('states in memory (detector keys)', count(keys));
print('memory a live token (heap, all its states)', count(held / SUBJECTS, ' B'));
print('JSON of its states in a checkpoint', count((size?.bytes ?? 0) / SUBJECTS, ' B'));
print('rows of ClickHouse a live token, compressed', count((size?.compressed ?? 0) / SUBJECTS, ' B'));
print('events detected and made durable a second', count((SUBJECTS * USES) / filled));
await first.close();

const random = createRandom(1);
const again = () =>
  Array.from({ length: BATCH }, (_, at) => {
    const subject = random.integer(0, SUBJECTS - 1);
    const [use] = usesOf(subject);
    if (use === undefined) throw new Error('no use');
    return { ...use, event_id: `again-${subject}-${at}-${random.integer(0, 1e9)}`, time: FROM + 2_000_000 };
  });
const restarted = partitionsOf();
const opening = process.hrtime.bigint();
await restarted.of('local');
print('restart: until the partition is open', `${seconds(opening).toFixed(2)} s`);
print(
  `restart: first batch (${count(BATCH)} events, every state cold)`,
  `${(await take(restarted, again())).toFixed(2)} s`,
);
let warm = 0;
for (let at = 0; at < 5; at += 1) warm += await take(restarted, again());
print('the next five batches, mostly cold, mean', `${(warm / 5).toFixed(2)} s`);
await restarted.close();
await store.close();
await server.stop();
enricher.close();
