import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { createEnricher, type Enricher } from '../../../src/enrich/enricher.ts';
import { RecallError } from '../../../src/errors.ts';
import { createEngine } from '../../../src/pipeline/engine.ts';
import { createProcessor } from '../../../src/pipeline/processor.ts';
import { createCustody } from '../../../src/response/custody.ts';
import type { SourceBatch } from '../../../src/sources/port.ts';
import type { StoreBatch } from '../../../src/store/port.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { secret } from '../../../schemas/secret.ts';

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

/** A processor over a store that fails as told: a refused row cannot be had from ClickHouse at will. */
function processorOn(write: (batch: StoreBatch) => Promise<void>, missing: string[] = []) {
  const acted: string[] = [];
  const process = createProcessor({
    engine: createEngine({ config, detectors, enricher, onDetectorError: () => undefined }),
    store: {
      write,
      query: () => Promise.resolve([]),
      ping: () => Promise.resolve(),
      close: () => Promise.resolve(),
    },
    custody: createCustody({
      key: secret(randomBytes(32).toString('base64')),
      defaultTtl: 3_600_000,
      find: () => Promise.resolve(null),
    }),
    metrics: createMetrics(),
    log,
    signal: new AbortController().signal,
    maxFuture: 600_000,
    missingFor: () => Promise.resolve([...missing]),
    onDurable: ({ actions }) => acted.push(...actions.map(({ value }) => value)),
  });
  return { process, acted };
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

function theft(): SourceBatch {
  const now = Date.now();
  const use = ([client_ip, user_agent]: readonly [string, string], ago: number) =>
    JSON.stringify({
      time: now - ago,
      client_ip,
      user_agent,
      sub: 'user-1',
      client_id: 'web',
      sid: 's',
      token: 'A'.repeat(40),
      status: 200,
    });
  return batchOf(use(OWNER, 9000), use(OWNER, 8000), use(THIEF, 7000), use(OWNER, 6000), use(THIEF, 5000));
}

describe('a batch', () => {
  it('acts only when it is durable, and tries the write again, not the detection', async () => {
    const acted: number[] = [];
    let attempts = 0;
    const { process, acted: actions } = processorOn(() => {
      acted.push(actions.length);
      attempts += 1;
      return attempts < 3
        ? Promise.reject(new RecallError('ERR_STORE_UNAVAILABLE', 'away'))
        : Promise.resolve();
    });
    expect(await process(theft())).toMatchObject({ accepted: 5, deadLetters: 0 });
    expect(acted).toEqual([0, 0, 0]);
    expect(actions).toHaveLength(1);
  });

  it('whose events are refused keeps what was found in them', async () => {
    const written: StoreBatch[] = [];
    const { process, acted } = processorOn((batch) => {
      if ((batch.access_events?.length ?? 0) > 0) {
        return Promise.reject(new RecallError('ERR_STORE_REFUSED', 'a row is refused'));
      }
      written.push(batch);
      return Promise.resolve();
    });
    await expect(process(theft())).rejects.toMatchObject({ code: 'ERR_STORE_REFUSED' });
    expect(written).toHaveLength(1);
    expect(written[0]?.alerts).toHaveLength(1);
    expect(written[0]?.custody).toHaveLength(1);
    expect(acted).toHaveLength(1);
  });

  it('with a recall that cannot be made says why, and asks again when more is found', async () => {
    const missing = ['a raw token'];
    const written: StoreBatch[] = [];
    const { process, acted } = processorOn((batch) => {
      written.push(batch);
      return Promise.resolve();
    }, missing);
    const all = theft();
    await process({ ...all, records: all.records.slice(0, 4) });
    expect(written[0]?.alerts?.[0]?.decision).toMatchObject({ action: 'revoke', missing });
    expect(written[0]?.alerts?.[0]?.summary).toContain('cannot be recalled: a raw token');
    expect(acted).toEqual([]);
    missing.length = 0;
    await process({ ...all, records: all.records.slice(4) });
    expect(acted).toHaveLength(1);
  });

  it('makes one dead letter of each record that is none, also where sources count alike', async () => {
    const ids: (string | undefined)[] = [];
    const { process } = processorOn((batch) => {
      ids.push(...(batch.dead_letters ?? []).map(({ dead_letter_id }) => dead_letter_id));
      return Promise.resolve();
    });
    await process(batchOf('no JSON', 'none either'));
    await process(batchOf('NO JSON'));
    await process(batchOf('no JSON', 'none either'));
    expect(ids).toHaveLength(5);
    expect(new Set(ids).size).toBe(3);
  });
});
