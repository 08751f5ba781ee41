import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Action } from '../../../schemas/action.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { createEnricher, type Enricher } from '../../../src/enrich/enricher.ts';
import { createActions } from '../../../src/pipeline/actions.ts';
import { createDecoding } from '../../../src/pipeline/decoding.ts';
import { createEngine } from '../../../src/pipeline/engine.ts';
import { createPartitions } from '../../../src/pipeline/partitions.ts';
import { createProcessor } from '../../../src/pipeline/processor.ts';
import type { Outputs } from '../../../src/pipeline/progress.ts';
import { createPolicy } from '../../../src/policy/decide.ts';
import type { SourceBatch } from '../../../src/sources/port.ts';
import type { OpenedStore } from '../../../src/store/open.ts';
import { createStateStore } from '../../../src/store/state.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { silent, startClickHouse, type TestClickHouse } from '../../support/clickhouse.ts';

const GROUP = 'group';
const { config, detectors } = parseConfig({
  policy: { mode: 'enforce', max_event_age: '18000d' },
  detection: { max_keys: 1000 },
  detectors: { 'impossible-travel': { enabled: false } },
});

let server: TestClickHouse;
let store: OpenedStore;
let enricher: Enricher;

beforeAll(async () => {
  server = await startClickHouse();
  store = await server.open();
  enricher = await createEnricher(config.enrich, silent);
});

afterAll(async () => {
  enricher.close();
  await store.close();
  await server.stop();
});

/** Where a worker can die: before or after one of the calls by which it reaches the store or the outside. */
type Step = 'claim' | 'loadPartition' | 'loadStates' | 'write' | 'checkpoint' | 'act';
interface Crash {
  step: Step;
  when: 'before' | 'after';
  /** Which of its calls, from 1. */
  call: number;
}

/** A worker of the one state partition `id`, up to where it dies. */
function workerOf(id: string, crash?: Crash) {
  let calls = 0;
  let dead = false;
  const acted: Outputs[] = [];
  const reach = async <T>(step: Step, call: () => Promise<T>): Promise<T> => {
    if (dead) throw new Error('dead');
    const here = crash?.step === step && (calls += 1) === crash.call;
    if (here && crash.when === 'before') dead = true;
    if (dead) throw new Error(`died before ${step}`);
    const answer = await call();
    if (here) dead = true;
    if (dead) throw new Error(`died after ${step}`);
    return answer;
  };
  const real = createStateStore(store);
  const states: typeof real = {
    ...real,
    claim: (...args) => reach('claim', () => real.claim(...args)),
    loadPartition: (...args) => reach('loadPartition', () => real.loadPartition(...args)),
    loadStates: (...args) => reach('loadStates', () => real.loadStates(...args)),
    checkpoint: (...args) => reach('checkpoint', () => real.checkpoint(...args)),
  };
  const custody = { available: false, seal: () => null, sealBytes: () => '', forget: () => undefined };
  const metrics = createMetrics();
  const partitions = createPartitions({
    states,
    store: { write: (batch) => reach('write', () => store.write(batch)) },
    log: silent,
    allowedLateness: config.detection.allowed_lateness,
    maxKeys: config.detection.max_keys,
    untilTaken: (_what, write) => write(),
    createEngine: (_id, peers, onError) =>
      createEngine({
        detectors,
        policy: createPolicy(config.policy, { shadowDetectors: new Set() }),
        allowedLateness: config.detection.allowed_lateness,
        others: () => peers.others(id),
        onError,
      }),
    actionsOf: createActions({ responder: { lookUp: () => Promise.resolve({ missing: [] }) }, log: silent }),
    onDetectorError: (_detector, _event, error) => {
      throw error;
    },
    onSkipped: () => undefined,
    onDurable(outputs) {
      if (crash?.step === 'act' && (calls += 1) === crash.call) dead = true;
      if (dead) throw new Error('died before acting');
      acted.push(outputs);
    },
    onOpened: () => Promise.resolve(),
    onClosed: () => Promise.resolve(),
    onLocalLost: () => undefined,
  });
  partitions.assigned(GROUP, [id]);
  const process = createProcessor({
    decoding: createDecoding({ custody, maxFuture: 600_000 }),
    enricher,
    partitions,
    custody,
    metrics,
  });
  return { process, partitions, acted };
}

const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0',
  'python-requests/2.32.3',
];
const IPS = ['90.18.63.77', '68.183.180.9'];

/** Uses of two subjects' tokens; of the second from the owner (o) and a thief (t) in turn, `run` keeps ids apart. */
function linesOf(run: string): string[] {
  const start = Date.parse('2026-03-01T10:00:00Z');
  return Array.from('oootototoo').flatMap((who, at) => {
    const use = (sub: string, thief: boolean) => ({
      time: start + at * 60_000,
      request_id: `${run}-${sub}-${at}`,
      client_ip: IPS[thief ? 1 : 0],
      user_agent: AGENTS[thief ? 1 : 0],
      sub: `${run}-${sub}`,
      client_id: `${run}-web`,
      sid: `${run}-${sub}`,
      jti: `${run}-${sub}-token`,
      status: 200,
    });
    return [use('honest', false), use('robbed', who === 't')].map((line) => JSON.stringify(line));
  });
}

/** Batches as a consumer gets them that begins at `offset` and fetches `size` records at a time. */
function fetches(id: string, lines: readonly string[], offset: number, size: number): SourceBatch[] {
  const batches: SourceBatch[] = [];
  for (let from = offset; from < lines.length; from += size) {
    const records = lines.slice(from, from + size).map((line, index) => ({
      bytes: new TextEncoder().encode(line),
      position: `log/0/${from + index}`,
      offset: from + index,
    }));
    batches.push({
      source: 'kafka:log',
      stream: 'access',
      format: 'canonical',
      origin: 'log/0',
      partition: id,
      records,
    });
  }
  return batches;
}

/** What the tables say of a run, without what must differ from run to run. */
async function outcome(run: string, id: string) {
  const told = async (sql: string) => await store.query<Record<string, unknown>>(sql, { run, id });
  const [events] = await told(
    'SELECT count() AS rows, uniqExact(request_id) AS ids FROM access_events FINAL WHERE startsWith(sub, {run:String})',
  );
  const findings = await told(
    "SELECT detector, confidence, replaceAll(reason, {run:String}, '') AS reason, time FROM findings FINAL WHERE startsWith(sub, {run:String}) ORDER BY ALL",
  );
  const alerts = await told(
    "SELECT decision_action, risk, length(JSONExtractArrayRaw(findings)) AS findings, replaceAll(sub, {run:String}, '') AS sub FROM alerts FINAL WHERE partition = {id:String} ORDER BY ALL",
  );
  const actions = await told(
    "SELECT replaceAll(value, {run:String}, '') AS value, state FROM actions FINAL WHERE partition = {id:String} ORDER BY ALL",
  );
  return { events, findings, alerts, actions };
}

const SIZE = 4;

async function runWith(run: string, crash: Crash | undefined, size: number, sizeAfter: number) {
  const id = `${GROUP}/${run}`;
  const lines = linesOf(run);
  let committed = 0;
  const acted: Action[] = [];
  const first = workerOf(id, crash);
  try {
    for (const batch of fetches(id, lines, 0, size)) {
      await first.process(batch);
      committed += batch.records.length;
    }
  } catch (error) {
    if (crash === undefined) throw error;
  }
  acted.push(...first.acted.flatMap(({ actions }) => actions));
  if (crash !== undefined) {
    const second = workerOf(id);
    for (const batch of fetches(id, lines, committed, sizeAfter)) await second.process(batch);
    acted.push(...second.acted.flatMap(({ actions }) => actions));
  }
  return { ...(await outcome(run, id)), acted: acted.length, died: committed < lines.length };
}

describe('a worker that dies', () => {
  const steps: Step[] = ['claim', 'loadPartition', 'loadStates', 'write', 'checkpoint', 'act'];
  const crashes = steps.flatMap((step) =>
    (['before', 'after'] as const).flatMap((when) => [1, 3].map((call): Crash => ({ step, when, call }))),
  );

  test('anywhere leaves no trace in what its successor makes of the same records, in other batches', async () => {
    const expected = await runWith('calm', undefined, SIZE, SIZE);
    expect(expected.events).toEqual({ rows: 20, ids: 20 });
    expect(expected.findings.length).toBeGreaterThan(1);
    expect(expected.actions).toEqual([{ value: '-robbed-token', state: 'pending' }]);
    let died = 0;
    for (const crash of crashes) {
      const name = `${crash.step}-${crash.when}-${crash.call}`;
      const got = await runWith(name, crash, SIZE, 3);
      if (got.died) died += 1;
      const { events, findings, alerts, actions } = got;
      expect({ name, events, findings, alerts, actions }).toEqual({
        name,
        events: expected.events,
        findings: expected.findings,
        alerts: expected.alerts,
        actions: expected.actions,
      });
    }
    // The crashes did happen: of calls that a run does not make, there are few.
    expect(died).toBeGreaterThan(crashes.length / 2);
  });
});
