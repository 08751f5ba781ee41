import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { secret } from '../../../schemas/secret.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { createEnricher, type Enricher } from '../../../src/enrich/enricher.ts';
import { RecallError } from '../../../src/errors.ts';
import { createActions } from '../../../src/pipeline/actions.ts';
import { createDecoding } from '../../../src/pipeline/decoding.ts';
import { createEngine } from '../../../src/pipeline/engine.ts';
import { createPartitions, LOCAL } from '../../../src/pipeline/partitions.ts';
import { createProcessor } from '../../../src/pipeline/processor.ts';
import { createPolicy } from '../../../src/policy/decide.ts';
import { createCustody } from '../../../src/response/custody.ts';
import { withRetry } from '../../../src/retry.ts';
import type { SourceBatch } from '../../../src/sources/port.ts';
import type { StoreBatch } from '../../../src/store/port.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { memoryStates } from '../../support/memory-states.ts';

const OWNER = [
  '90.18.63.77',
  'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0',
] as const;
const THIEF = ['68.183.180.9', 'python-requests/2.32.3'] as const;

let enricher: Enricher;
const { config, detectors } = parseConfig({ policy: { mode: 'enforce' } });
const log = createLogger('silent');
beforeAll(async () => void (enricher = await createEnricher(config.enrich, log)));
afterAll(() => enricher.close());

type Write = (batch: StoreBatch) => Promise<void>;

/** A worker over a store that fails as told: a refused row cannot be had from ClickHouse at will. */
function workerOn(
  write: Write,
  { missing = [] as string[], states = memoryStates(), running = detectors } = {},
) {
  const acted: string[] = [];
  const lost: unknown[] = [];
  const metrics = createMetrics();
  const { signal } = new AbortController();
  const custody = createCustody({
    key: secret(randomBytes(32).toString('base64')),
    defaultTtl: 3_600_000,
    find: () => Promise.resolve(null),
  });
  const allowedLateness = config.detection.allowed_lateness;
  const partitions = createPartitions({
    states,
    store: { write },
    log,
    allowedLateness,
    maxKeys: 1000,
    untilTaken: (what, attempt) => withRetry(attempt, { what, log, signal }),
    createEngine: (id, peers, onError) =>
      createEngine({
        detectors: running,
        policy: createPolicy(config.policy, { shadowDetectors: new Set() }),
        allowedLateness,
        others: () => peers.others(id),
        onError,
      }),
    actionsOf: createActions({
      responder: { lookUp: () => Promise.resolve({ missing: [...missing] }) },
      log,
    }),
    onDetectorError: () => undefined,
    onSkipped: (kind, count) => metrics.skipped.inc({ kind }, count),
    onDurable: ({ actions }) => acted.push(...actions.map(({ value }) => value)),
    onOpened: () => Promise.resolve(),
    onClosed: () => Promise.resolve(),
    onLocalLost: (error) => lost.push(error),
  });
  const decoding = createDecoding({ custody, maxFuture: 600_000 });
  const process = createProcessor({ decoding, enricher, partitions, custody, metrics });
  const skipped = async () => {
    const { values } = await metrics.skipped.get();
    return values.map(({ labels, value }) => `${String(labels.kind)} ${value}`);
  };
  return { process, partitions, acted, lost, skipped, states };
}

const batchOf = (...lines: string[]): SourceBatch => ({
  source: 'http',
  stream: 'access',
  format: 'canonical',
  records: lines.map((line, index) => ({
    bytes: new TextEncoder().encode(line),
    position: String(index + 1),
  })),
});

const use = ([client_ip, user_agent]: readonly [string, string], ago: number) =>
  JSON.stringify({
    time: Date.now() - ago,
    client_ip,
    user_agent,
    sub: 'user-1',
    client_id: 'web',
    sid: 's',
    token: 'A'.repeat(40),
    status: 200,
  });
const theft = () =>
  batchOf(use(OWNER, 9000), use(OWNER, 8000), use(THIEF, 7000), use(OWNER, 6000), use(THIEF, 5000));

describe('a batch', () => {
  it('acts only when it is durable, and tries the write again, not the detection', async () => {
    const actedBefore: number[] = [];
    let attempts = 0;
    const { process, acted } = workerOn(() => {
      actedBefore.push(acted.length);
      attempts += 1;
      return attempts < 3
        ? Promise.reject(new RecallError('ERR_STORE_UNAVAILABLE', 'away'))
        : Promise.resolve();
    });
    expect(await process(theft())).toMatchObject({ accepted: 5, deadLetters: 0 });
    // Twice in vain, then the events, then what was decided.
    expect(actedBefore).toEqual([0, 0, 0, 0]);
    expect(acted).toHaveLength(1);
  });

  it('whose events are refused leads to nothing, and is found anew when it comes again', async () => {
    const written: StoreBatch[] = [];
    let refuse = true;
    const { process, acted, states } = workerOn((batch) => {
      if (refuse) return Promise.reject(new RecallError('ERR_STORE_REFUSED', 'a row is refused'));
      written.push(batch);
      return Promise.resolve();
    });
    await expect(process(theft())).rejects.toMatchObject({ code: 'ERR_STORE_REFUSED' });
    expect([written.length, states.checkpoints, acted.length]).toEqual([0, 0, 0]);
    refuse = false;
    await process(theft());
    expect(written.flatMap(({ custody = [] }) => custody)).toHaveLength(1);
    expect(written.flatMap(({ alerts = [] }) => alerts)).toHaveLength(1);
    expect(acted).toHaveLength(1);
  });

  it('with a recall that cannot be made says why, and asks again when more is found', async () => {
    const missing = ['a raw token'];
    const written: StoreBatch[] = [];
    const { process, acted } = workerOn(
      (batch) => {
        written.push(batch);
        return Promise.resolve();
      },
      { missing },
    );
    const all = theft();
    await process({ ...all, records: all.records.slice(0, 4) });
    const [alert] = written.flatMap(({ alerts = [] }) => alerts);
    expect(alert?.decision).toMatchObject({ action: 'revoke', missing });
    expect(alert?.summary).toContain('cannot be recalled: a raw token');
    expect(acted).toEqual([]);
    missing.length = 0;
    await process({ ...all, records: all.records.slice(4) });
    expect(acted).toHaveLength(1);
  });

  it('makes one dead letter of each record that is none, also where sources count alike', async () => {
    const ids: (string | undefined)[] = [];
    const { process } = workerOn((batch) => {
      ids.push(...(batch.dead_letters ?? []).map(({ dead_letter_id }) => dead_letter_id));
      return Promise.resolve();
    });
    await process(batchOf('no JSON', 'none either'));
    await process(batchOf('NO JSON'));
    await process(batchOf('no JSON', 'none either'));
    expect(ids).toHaveLength(5);
    expect(new Set(ids).size).toBe(3);
  });

  it('makes a dead letter of an event that a detector fails on, which the others still see', async () => {
    const [some] = detectors;
    if (some === undefined) throw new Error('no detector');
    const evaluate = () => {
      throw new Error('cannot');
    };
    const failing = { ...some, definition: { ...some.definition, id: 'failing', evaluate } };
    const written: StoreBatch[] = [];
    const { process, acted } = workerOn(
      (batch) => {
        written.push(batch);
        return Promise.resolve();
      },
      { running: [failing, ...detectors] },
    );
    expect(await process(theft())).toMatchObject({ accepted: 5, deadLetters: 0 });
    const [letter, ...others] = written.flatMap(({ dead_letters = [] }) => dead_letters);
    expect(letter).toMatchObject({ code: 'ERR_DETECTOR', step: 'detect', position: '1', source: 'http' });
    expect(letter?.reason).toContain('failing');
    expect(new Set(others.map(({ dead_letter_id }) => dead_letter_id)).size).toBe(4);
    expect(acted).toHaveLength(1);
  });

  it('that came later than allowed is stored and marked, and held against nothing', async () => {
    const written: StoreBatch[] = [];
    const { process, skipped } = workerOn((batch) => {
      written.push(batch);
      return Promise.resolve();
    });
    const hours = 3_600_000;
    await process(batchOf(use(OWNER, 0)));
    await process(batchOf(use(THIEF, 7 * hours), use(THIEF, 6.5 * hours), use(OWNER, 5 * hours)));
    const late = written.flatMap(({ access_events = [] }) =>
      access_events.map(({ arrival }) => arrival.late),
    );
    expect(late).toEqual([undefined, true, true, undefined]);
    expect(written.flatMap(({ findings = [] }) => findings)).toEqual([]);
    expect(await skipped()).toContain('late 2');
  });
});

describe('a state partition', () => {
  it('takes batches together that come while it is busy, and answers each', async () => {
    const { process, states } = workerOn(() => Promise.resolve());
    const all = theft().records;
    const outcomes = await Promise.all(all.map((record) => process({ ...theft(), records: [record] })));
    expect(outcomes.map(({ accepted }) => accepted)).toEqual([1, 1, 1, 1, 1]);
    expect(states.checkpoints).toBeLessThan(5);
  });

  it('that another worker took over is given up, without a trace of what it had under way', async () => {
    const states = memoryStates();
    const written: StoreBatch[] = [];
    const write: Write = (batch) => {
      written.push(batch);
      return Promise.resolve();
    };
    const [first, second] = [workerOn(write, { states }), workerOn(write, { states })];
    await first.process(batchOf(use(OWNER, 9000)));
    await second.process(batchOf(use(OWNER, 8000)));
    const before = states.checkpoints;
    await expect(first.process(theft())).rejects.toMatchObject({ code: 'ERR_STATE_FENCED' });
    expect(states.checkpoints).toBe(before);
    expect(first.acted).toEqual([]);
    expect(written.flatMap(({ alerts = [] }) => alerts)).toEqual([]);
    expect(first.lost).toHaveLength(1);
    // Nor does it take the partition back.
    await expect(first.partitions.of(LOCAL)).rejects.toMatchObject({ code: 'ERR_STATE_FENCED' });
    expect(await second.process(batchOf(use(OWNER, 7000)))).toMatchObject({ accepted: 1 });
  });

  it('of a consumer group is open while it is assigned', async () => {
    const { partitions } = workerOn(() => Promise.resolve());
    await expect(partitions.of('group/1')).rejects.toMatchObject({ code: 'ERR_STATE_FENCED' });
    partitions.assigned('group', ['group/1', 'group/2']);
    await partitions.of('group/1');
    partitions.assigned('group', ['group/2']);
    await expect(partitions.of('group/1')).rejects.toMatchObject({ code: 'ERR_STATE_FENCED' });
    await expect.poll(() => partitions.open()).toBe(0);
    await partitions.of('group/2');
    expect(partitions.open()).toBe(1);
    await partitions.close();
    expect(partitions.open()).toBe(0);
  });

  it('given back at once is not opened before what it had under way has ended', async () => {
    let finish = () => {};
    const states = memoryStates();
    const steps: string[] = [];
    const { partitions, process } = workerOn(
      ({ access_events = [] }) => {
        if (access_events.length === 0) return Promise.resolve();
        steps.push('writing');
        return new Promise((resolve) => (finish = resolve));
      },
      { states },
    );
    partitions.assigned('group', ['group/1']);
    const busy = process({ ...batchOf(use(OWNER, 9000)), partition: 'group/1' });
    await expect.poll(() => steps).toEqual(['writing']);
    partitions.assigned('group', []);
    partitions.assigned('group', ['group/1']);
    const again = partitions.of('group/1').then(() => steps.push('opened'));
    finish();
    await busy.then(() => steps.push('durable'));
    await again;
    expect(steps).toEqual(['writing', 'durable', 'opened']);
    expect(partitions.open()).toBe(1);
  });
});
