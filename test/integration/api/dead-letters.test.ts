import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RedriveReport } from '../../../src/api/deps.ts';
import type { OpenedStore } from '../../../src/store/open.ts';
import { startClickHouse, type TestClickHouse } from '../../support/clickhouse.ts';
import { as, startApi, type Harness } from '../../unit/api/harness.ts';
import { NOON, sampleDeadLetter } from '../store/samples.ts';

let clickhouse: TestClickHouse;
let store: OpenedStore;
let api: Harness;
let app: FastifyInstance;
const asked: unknown[] = [];
const report: RedriveReport = {
  dry_run: false,
  examined: 1,
  outcomes: { accepted: 1, refused: 0, decodes: 0, undecodable: 0, no_original: 0 },
  more: false,
  letters: [{ dead_letter_id: 'letter-1', outcome: 'accepted', detail: 'it is an event now' }],
};

beforeAll(async () => {
  clickhouse = await startClickHouse();
  store = await clickhouse.open();
  api = await startApi({
    deps: {
      store,
      redrive: (request, actor) => {
        asked.push({ request, actor });
        return Promise.resolve(report);
      },
    },
  });
  app = api.app;
  await store.write({
    dead_letters: [
      ...[1, 2, 3, 4, 5].map((id) =>
        sampleDeadLetter(`letter-${id}`, { received_at: NOON + Math.ceil(id / 2) }),
      ),
      sampleDeadLetter('other', { source: 'http', code: 'ERR_DECODE_TIME', sealed: 'c2VhbGVk' }),
    ],
    dead_letter_outcomes: [
      { dead_letter_id: 'other', at: NOON + 5, actor: 'ops', outcome: 'refused', detail: 'anew' },
      {
        dead_letter_id: 'other',
        at: NOON + 9,
        actor: 'ops',
        outcome: 'accepted',
        detail: 'it is an event now',
      },
    ],
  });
}, 60_000);
afterAll(async () => {
  await api.close();
  await store.close();
  await clickhouse.stop();
});

const get = (url: string) => app.inject({ url, headers: as('reader') });
interface Page {
  dead_letters: { dead_letter_id: string }[];
  next?: string;
}
const idsOf = (page: Page) => page.dead_letters.map(({ dead_letter_id }) => dead_letter_id);
const post = (payload: object) =>
  app.inject({ method: 'POST', url: '/v1/dead-letters/redrive', headers: as('operator'), payload });

describe('dead letters', () => {
  it.each([
    ['code=ERR_DECODE_TIME', ['other']],
    ['source=http', ['other']],
    ['redriven=true', ['other']],
    [`since=${new Date(NOON + 3).toISOString()}`, ['letter-5']],
    [`redriven=false&until=${new Date(NOON + 2).toISOString()}`, ['letter-2', 'letter-1']],
  ])('are filtered by %s', async (filter, ids) => {
    expect(idsOf((await get(`/v1/dead-letters?${filter}`)).json())).toEqual(ids);
  });

  it('come in pages, latest first, each once', async () => {
    const seen: string[] = [];
    let cursor = '';
    for (let pages = 1; pages <= 3; pages += 1) {
      const page = (await get(`/v1/dead-letters?source=file:access.log&limit=2${cursor}`)).json<Page>();
      seen.push(...idsOf(page));
      expect(page.next === undefined).toBe(pages === 3);
      cursor = `&cursor=${String(page.next)}`;
    }
    expect(seen).toEqual([5, 4, 3, 2, 1].map((id) => `letter-${id}`));
  });

  it('are told one by one with what became of them, without the sealed original', async () => {
    const answer = await get('/v1/dead-letters/other');
    expect(answer.json()).toEqual({
      dead_letter_id: 'other',
      received_at: new Date(NOON).toISOString(),
      source: 'http',
      position: '17',
      stream: 'access',
      step: 'decode',
      code: 'ERR_DECODE_TIME',
      reason: 'not JSON: unexpected token at position 3',
      size: 20,
      excerpt: 'GET /orders HTTP/1.1',
      kept: true,
      redriven: {
        at: new Date(NOON + 9).toISOString(),
        actor: 'ops',
        outcome: 'accepted',
        detail: 'it is an event now',
      },
    });
    expect((await get('/v1/dead-letters/letter-1')).json()).toMatchObject({ kept: false });
    expect((await get('/v1/dead-letters/none')).statusCode).toBe(404);
  });

  it('are handed over again in the name of the credential', async () => {
    const since = new Date(NOON).toISOString();
    const answer = await post({ ids: ['letter-1'], code: 'ERR_DECODE_JSON', since });
    expect(answer.json()).toEqual(report);
    expect(asked).toEqual([
      {
        request: {
          ...{ ids: ['letter-1'], code: 'ERR_DECODE_JSON', since: NOON },
          ...{ again: false, dry_run: false, limit: 1000 },
        },
        actor: 'operator-name',
      },
    ]);
    expect((await post({ nonsense: true })).statusCode).toBe(400);
  });
});
