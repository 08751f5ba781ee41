import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DeadLetter } from '../../../schemas/dead-letter.ts';
import { RecallError } from '../../../src/errors.ts';
import { createRedrive, type RedriveOptions } from '../../../src/pipeline/redrive.ts';
import { createHttpSource, type HttpSource } from '../../../src/sources/http.ts';
import { createDeadLetterReads, type DeadLetterReads } from '../../../src/store/dead-letters.ts';
import type { OpenedStore } from '../../../src/store/open.ts';
import { silent, startClickHouse, type TestClickHouse } from '../../support/clickhouse.ts';
import { sampleDeadLetter } from '../store/samples.ts';
import { custodyOf, line, MINUTE, storing } from './set-aside.ts';

const custody = custodyOf();
const stop = new AbortController();
let clickhouse: TestClickHouse;
let store: OpenedStore;
let letters: DeadLetterReads;
let http: HttpSource;
let running: Promise<void>;
let worker: ReturnType<typeof storing>;

beforeAll(async () => {
  clickhouse = await startClickHouse();
  store = await clickhouse.open();
  letters = createDeadLetterReads(store);
  worker = storing(store, custody);
  http = createHttpSource({ log: silent, maxLine: 2 ** 20 });
  running = http.run(worker.handle, stop.signal);
});
afterAll(async () => {
  stop.abort();
  await running;
  await store.close();
  await clickhouse.stop();
});

/** A redrive whose configuration allows events 2 h ahead; the worker allows as much as it is set to. */
function redriveOf(change: Partial<RedriveOptions> = {}) {
  const push: RedriveOptions['push'] = (...args) => http.push(...args);
  return createRedrive({ letters, store, custody, push, sources: [], maxFuture: 120 * MINUTE, ...change });
}
const stored = async (prefix: string) =>
  (
    await store.query<{ id: string }>(
      'SELECT request_id AS id FROM access_events FINAL WHERE startsWith(request_id, {prefix:String}) ORDER BY id',
      { prefix },
    )
  ).map(({ id }) => id);

it('takes in what is an event now, once, and leaves the rest with its reason', async () => {
  const source = 'file:one.log';
  const token = randomBytes(24).toString('base64url');
  const pretty = JSON.stringify(JSON.parse(line('one-b', 60 * MINUTE)), null, 2);
  worker.setting.maxFuture = 10 * MINUTE;
  expect(
    await worker.feed(
      [line('one-a', 60 * MINUTE, token), pretty, `not JSON ${token}`, line('one-c', 0)],
      source,
    ),
  ).toEqual({ accepted: 1, deadLetters: 3 });
  expect(await stored('one-')).toEqual(['one-c']);

  worker.setting.maxFuture = 120 * MINUTE;
  const redrive = redriveOf();
  const dry = await redrive({ source, dry_run: true }, 'tester');
  expect(dry).toMatchObject({ examined: 3, outcomes: { decodes: 2, undecodable: 1, accepted: 0 } });
  expect(await stored('one-')).toEqual(['one-c']);

  const report = await redrive({ source }, 'tester');
  expect(report).toMatchObject({
    dry_run: false,
    examined: 3,
    outcomes: { accepted: 2, refused: 0, decodes: 0, undecodable: 1, no_original: 0 },
    more: false,
  });
  expect(report.letters.find(({ outcome }) => outcome === 'undecodable')?.detail).toMatch(
    /^ERR_DECODE_JSON: /,
  );
  expect(await stored('one-')).toEqual(['one-a', 'one-b', 'one-c']);

  const marked = await letters.list({ source, redriven: true, limit: 10 });
  expect(marked.map(({ redriven }) => redriven)).toMatchObject([
    { actor: 'tester', outcome: 'accepted' },
    { actor: 'tester', outcome: 'accepted' },
  ]);
  const audited = await store.query('SELECT * FROM audit_log');
  expect(audited).toMatchObject([
    {
      actor: 'tester',
      action: 'dead-letter.redrive',
      target: `dead letters of source ${source}`,
      outcome: 'accepted',
      detail: '2 handed over: 2 accepted, 0 refused',
    },
  ]);

  expect(await redrive({ source }, 'tester')).toMatchObject({ examined: 1, outcomes: { accepted: 0 } });
  expect(await redrive({ source, again: true }, 'tester')).toMatchObject({ outcomes: { accepted: 2 } });
  expect(await stored('one-')).toEqual(['one-a', 'one-b', 'one-c']);
  expect(JSON.stringify([report, audited, marked])).not.toContain(token);
});

it('finds out which one the worker sets aside anew, and does not hand it over again by itself', async () => {
  // As pushed: what the worker sets aside anew is of the same source.
  const source = 'http';
  const since = Date.now();
  worker.setting.maxFuture = 10 * MINUTE;
  const ahead = (n: number) => (n === 13 ? 90 : 60) * MINUTE;
  await worker.feed(
    Array.from({ length: 200 }, (_, n) => line(`two-${n}`, ahead(n))),
    source,
  );
  worker.setting.maxFuture = 75 * MINUTE;
  const redrive = redriveOf();
  const report = await redrive({ source, since }, 'tester');
  expect(report).toMatchObject({ examined: 200, outcomes: { accepted: 199, refused: 1 } });
  expect(await stored('two-')).toHaveLength(199);
  const ids = report.letters.flatMap((one) => (one.outcome === 'refused' ? [one.dead_letter_id] : []));
  expect(await letters.get(ids[0]!)).toMatchObject({ position: '14', redriven: { outcome: 'refused' } });
  expect(await redrive({ ids }, 'tester')).toMatchObject({ examined: 0 });
});

it('goes through more letters than it reads at once, and says where its limit left some', async () => {
  const source = 'file:three.log';
  worker.setting.maxFuture = 10 * MINUTE;
  const records = Array.from({ length: 450 }, (_, n) =>
    n % 3 === 0 ? `none ${n}` : line(`three-${n}`, 60 * MINUTE),
  );
  await worker.feed(records, source);
  worker.setting.maxFuture = 120 * MINUTE;
  const redrive = redriveOf();
  const some = await redrive({ source, limit: 200 }, 'tester');
  expect(some).toMatchObject({ examined: 200, more: true });
  const rest = await redrive({ source }, 'tester');
  expect(rest).toMatchObject({ outcomes: { undecodable: 150 }, more: false });
  expect(some.outcomes.accepted + rest.outcomes.accepted).toBe(300);
  expect(await stored('three-')).toHaveLength(300);
  expect(await redrive({ source, limit: 150 }, 'tester')).toMatchObject({ examined: 150, more: false });
});

it('marks what it handed over before it broke off, and goes on from there', async () => {
  const source = 'file:four.log';
  worker.setting.maxFuture = 10 * MINUTE;
  const big = 'x'.repeat(60_000);
  const padded = (n: number) => JSON.stringify({ ...JSON.parse(line(`four-${n}`, 60 * MINUTE)), big });
  await worker.feed(
    Array.from({ length: 40 }, (_, n) => padded(n)),
    source,
  );
  worker.setting.maxFuture = 120 * MINUTE;
  let pushes = 0;
  const breaking = redriveOf({
    push: (...args) => {
      pushes += 1;
      if (pushes === 2) throw new RecallError('ERR_SOURCE_UNAVAILABLE', 'not now');
      return http.push(...args);
    },
  });
  await expect(breaking({ source }, 'tester')).rejects.toMatchObject({ code: 'ERR_SOURCE_UNAVAILABLE' });
  const marked = await letters.list({ source, redriven: true, limit: 100 });
  expect(marked.length).toBeGreaterThan(0);
  expect(marked.length).toBeLessThan(40);
  expect(await redriveOf()({ source }, 'tester')).toMatchObject({ examined: 40 - marked.length });
  expect(await stored('four-')).toHaveLength(40);
});

it('says what is missing where there is no original to decode', async () => {
  const of = (id: string, change: Partial<DeadLetter>) => sampleDeadLetter(id, { source: 'five', ...change });
  await store.write({
    dead_letters: [
      of('unsealed', { position: '1' }),
      of('too-large', { step: 'receive', size: 2 ** 21 }),
      of('other-key', { sealed: custodyOf().sealBytes(Buffer.from(line('five', 0))) }),
    ],
  });
  const details = async (change: Partial<RedriveOptions> = {}) => {
    const { letters: all } = await redriveOf(change)({ source: 'five' }, 'tester');
    expect(all.map(({ outcome }) => outcome)).toEqual(['no_original', 'no_original', 'no_original']);
    return Object.fromEntries(all.map(({ dead_letter_id, detail }) => [dead_letter_id, detail]));
  };
  expect(await details()).toEqual({
    unsealed: expect.stringMatching(
      /no custody key was set.*custody\.key, and read it again from five, 1/,
    ) as string,
    'too-large': expect.stringMatching(/2097152 bytes are more than max_line/) as string,
    'other-key': expect.stringContaining('another custody key') as string,
  });
  expect(await details({ custody: custodyOf('') })).toMatchObject({
    'other-key': expect.stringContaining('set custody.key') as string,
  });
});
