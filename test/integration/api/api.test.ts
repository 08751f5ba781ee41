import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detectors } from '../../../detectors/registry.ts';
import type { Action } from '../../../schemas/action.ts';
import { tokenHash } from '../../../src/formats/hash.ts';
import type { OpenedStore } from '../../../src/store/open.ts';
import { createReads } from '../../../src/store/reads.ts';
import { startClickHouse, type TestClickHouse } from '../../support/clickhouse.ts';
import { as, startApi, type Harness } from '../../unit/api/harness.ts';
import { accessEvent, NOON, sampleAction, sampleAlert } from '../store/samples.ts';

let clickhouse: TestClickHouse;
let store: OpenedStore;
let api: Harness;
let app: FastifyInstance;
const asked: { request: unknown; actor: string }[] = [];
/** A raw token as an analyst would hold it, new in each run; only its hash is stored. */
const rawToken = randomBytes(32).toString('base64url');

beforeAll(async () => {
  clickhouse = await startClickHouse();
  store = await clickhouse.open();
  const reads = createReads(store);
  api = await startApi({
    config: { public_url: 'https://recall.example.com' },
    deps: {
      store,
      reads,
      detectors,
      requestRecall: async (request, actor): Promise<Action> => {
        asked.push({ request, actor });
        const action = sampleAction('action-by-hand', {
          ...request,
          requested_by: actor,
          alert_id: undefined,
        });
        await store.write({ actions: [action] });
        return action;
      },
    },
  });
  app = api.app;
  await store.write({
    access_events: [
      accessEvent(
        'event-1',
        { time: NOON, request_id: 'request-1', token_hash: tokenHash(rawToken) },
        { country: 'DE' },
      ),
      accessEvent(
        'event-2',
        { time: NOON + 60_000, token_hash: tokenHash(rawToken) },
        { ip: '198.51.100.7', country: 'BR' },
      ),
    ],
    alerts: [
      ...[1, 2, 3, 4, 5].map((id) =>
        sampleAlert(`page-${id}`, { sub: 'pager', updated: NOON + id, time: NOON }),
      ),
      sampleAlert('alert-1', { sub: 'user-1', updated: NOON + 60_000 }),
      sampleAlert('alert-2', { sub: 'user-2', severity: 'low', client_id: 'batch' }),
      sampleAlert('alert-3', { sub: 'user-3' }),
    ],
    actions: [
      sampleAction('action-1', { state: 'confirmed', attempts: 1, detail: 'introspects as inactive' }),
    ],
  });
}, 60_000);

afterAll(async () => {
  await api.close();
  await store.close();
  await clickhouse.stop();
});

const get = async <T>(url: string) => {
  const answer = await app.inject({ url, headers: as('reader') });
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json<T>();
};
const post = (url: string, payload?: object) =>
  app.inject({ method: 'POST', url, headers: as('operator'), ...(payload && { payload }) });

interface Page {
  alerts: { alert_id: string; status: string }[];
  next?: string;
}

describe('alerts', () => {
  it.each([
    ['sub=user-1', ['alert-1']],
    ['client_id=batch', ['alert-2']],
    ['severity=low', ['alert-2']],
    ['sub=user-3&detector=token-replay&status=open', ['alert-3']],
    ['sub=user-3&detector=scope-drift', []],
    ['sub=user-3&status=resolved', []],
    [`sub=user-1&since=${new Date(NOON + 60_000).toISOString()}`, ['alert-1']],
    [`sub=user-1&until=${new Date(NOON + 60_000).toISOString()}`, []],
  ])('are filtered by %s', async (filter, ids) => {
    const { alerts } = await get<Page>(`/v1/alerts?${filter}`);
    expect(alerts.map(({ alert_id }) => alert_id)).toEqual(ids);
  });

  it('come in pages, latest first, each once', async () => {
    const seen: string[] = [];
    let cursor = '';
    for (let pages = 1; pages <= 3; pages += 1) {
      const { alerts, next } = await get<Page>(`/v1/alerts?sub=pager&limit=2${cursor}`);
      seen.push(...alerts.map(({ alert_id }) => alert_id));
      expect(next === undefined).toBe(pages === 3);
      cursor = `&cursor=${String(next)}`;
    }
    expect(seen).toEqual([5, 4, 3, 2, 1].map((id) => `page-${id}`));
  });

  it('are lines of the contract in a list, with their runbooks', async () => {
    const { alerts } = await get<Page>('/v1/alerts?sub=user-1');
    expect(alerts[0]).toMatchObject({
      time: new Date(NOON).toISOString(),
      status: 'open',
      decision: { action: 'revoke', handle: 'token', mode: 'enforce' },
      findings: [
        { detector: 'token-replay', runbook: 'https://recall.example.com/v1/detectors/token-replay' },
      ],
    });
  });

  it('are told with findings, evidence, actions and reviews one by one', async () => {
    const detail = await get<object>('/v1/alerts/alert-1');
    expect(detail).toMatchObject({
      findings: [
        { measures: { gap_s: 40 }, signals: ['device', 'location'], evidence: [{ client_ip: '192.0.2.10' }] },
      ],
      evidence: [{ time: new Date(NOON).toISOString() }],
      actions: [
        { action_id: 'action-1', state: 'confirmed', requested_at: new Date(NOON + 1000).toISOString() },
      ],
      reviews: [],
    });
  });

  it('are exported as OCSF', async () => {
    const finding = await get<object>('/v1/alerts/alert-1/ocsf');
    expect(finding).toMatchObject({
      class_uid: 2004,
      status_id: 1,
      finding_info: { uid: 'alert-1', title: 'Token replay' },
    });
  });

  it.each(['/v1/alerts/none', '/v1/alerts/none/ocsf'])(
    'that are not there are not found: %s',
    async (url) => {
      expect((await app.inject({ url, headers: as('reader') })).statusCode).toBe(404);
    },
  );
});

describe('an analyst', () => {
  const alert = () => get<{ status: string; verdict?: string; reviews: object[] }>('/v1/alerts/alert-2');

  it('acknowledges, once, and resolves with a verdict, once', async () => {
    expect((await post('/v1/alerts/alert-2/acknowledge')).json()).toMatchObject({ status: 'acknowledged' });
    expect((await post('/v1/alerts/alert-2/acknowledge', { note: 'again' })).statusCode).toBe(200);
    expect(await alert()).toMatchObject({ status: 'acknowledged', reviews: [{ actor: 'operator-name' }] });

    const verdict = { verdict: 'false_positive', note: 'the owner changed provider' };
    expect((await post('/v1/alerts/alert-2/resolve', verdict)).json()).toMatchObject({ status: 'resolved' });
    expect((await post('/v1/alerts/alert-2/resolve', verdict)).statusCode).toBe(200);
    expect(await alert()).toMatchObject({
      status: 'resolved',
      verdict: 'false_positive',
      reviews: [{ status: 'acknowledged' }, { status: 'resolved', note: 'the owner changed provider' }],
    });
  });

  it('does not take a verdict back', async () => {
    const other = await post('/v1/alerts/alert-2/resolve', { verdict: 'true_positive' });
    expect(other.statusCode).toBe(409);
    expect(other.json<{ detail: string }>().detail).toContain('false_positive');
    expect((await post('/v1/alerts/alert-2/acknowledge')).statusCode).toBe(409);
  });

  it('is in the audit trail with every step', async () => {
    const rows = await store.query(
      "SELECT actor, action, outcome, detail FROM audit_log WHERE target = 'alert alert-2' ORDER BY at",
    );
    expect(rows).toEqual([
      { actor: 'operator-name', action: 'alert.acknowledge', outcome: 'acknowledged', detail: '' },
      {
        actor: 'operator-name',
        action: 'alert.resolve',
        outcome: 'false_positive',
        detail: 'the owner changed provider',
      },
    ]);
  });

  it('is told of an alert that is not there, and that a verdict is needed', async () => {
    expect((await post('/v1/alerts/none/acknowledge')).statusCode).toBe(404);
    expect((await post('/v1/alerts/alert-3/resolve', {})).statusCode).toBe(400);
    expect((await post('/v1/alerts/alert-3/resolve', { verdict: 'maybe' })).statusCode).toBe(400);
  });

  it('exports the verdict with OCSF', async () => {
    expect(await get('/v1/alerts/alert-2/ocsf')).toMatchObject({
      status: 'Suppressed',
      activity_name: 'Close',
    });
  });
});

describe('tokens', () => {
  it.each(['token-1', tokenHash(rawToken)])('are found by jti or hash: %s', async (id) => {
    expect(await get(`/v1/tokens/${id}`)).toMatchObject({
      token_id: 'token-1',
      sub: 'user-1',
      uses: 2,
      ips: 2,
      countries: ['BR', 'DE'],
      first_used: new Date(NOON).toISOString(),
    });
  });

  it('tell where they were used, latest first', async () => {
    const { uses } = await get<{ uses: object[] }>('/v1/tokens/token-1/uses');
    expect(uses).toMatchObject([
      { event_id: 'event-2', ip: '198.51.100.7', country: 'BR', time: new Date(NOON + 60_000).toISOString() },
      { event_id: 'event-1', request_id: 'request-1', country: 'DE' },
    ]);
    expect((await get<{ uses: object[] }>('/v1/tokens/token-1/uses?limit=1')).uses).toHaveLength(1);
  });

  it('are found by who holds the token itself, which is in no answer and no log', async () => {
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/tokens/lookup',
      headers: as('reader'),
      payload: { token: rawToken },
    });
    expect(answer.json()).toMatchObject({ token_id: 'token-1', token_hash: tokenHash(rawToken) });
    expect(answer.body + api.logged.join('')).not.toContain(rawToken);
  });

  it('that were never seen are not found', async () => {
    for (const url of ['/v1/tokens/none', '/v1/tokens/none/uses']) {
      expect((await app.inject({ url, headers: as('reader') })).statusCode).toBe(404);
    }
  });
});

describe('recalls', () => {
  it('are listed and told one by one', async () => {
    const { recalls } = await get<{ recalls: object[] }>('/v1/recalls?alert_id=alert-1&state=confirmed');
    expect(recalls).toMatchObject([{ action_id: 'action-1', detail: 'introspects as inactive' }]);
    expect(await get('/v1/recalls/action-1')).toMatchObject({ state: 'confirmed', attempts: 1 });
    expect((await app.inject({ url: '/v1/recalls/none', headers: as('reader') })).statusCode).toBe(404);
  });

  it('are asked by hand, in the name of the credential', async () => {
    const answer = await post('/v1/recalls', {
      handle: 'token',
      value: 'token-1',
      reason: 'seen in a paste',
    });
    expect(answer.statusCode).toBe(202);
    expect(answer.headers.location).toBe('/v1/recalls/action-by-hand');
    expect(asked).toEqual([
      { request: { handle: 'token', value: 'token-1', reason: 'seen in a paste' }, actor: 'operator-name' },
    ]);
    expect(await get('/v1/recalls/action-by-hand')).toMatchObject({
      requested_by: 'operator-name',
      state: 'pending',
    });
  });
});

describe('detectors', () => {
  it('each have the page that alerts link to', async () => {
    const list = (await app.inject('/v1/detectors')).json<{ detectors: { id: string }[] }>();
    expect(list.detectors.map(({ id }) => id)).toEqual(detectors.map(({ id }) => id));
    for (const { id, runbook, attack, falsePositives } of detectors) {
      const page = (await app.inject(`/v1/detectors/${id}`)).json<object>();
      expect(page).toMatchObject({ id, runbook, attack, false_positives: falsePositives });
    }
  });

  it('give a browser their runbook to read', async () => {
    const [detector] = detectors;
    const url = `/v1/detectors/${detector!.id}`;
    const page = await app.inject({ url, headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } });
    expect(page.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(page.body).toContain(`# ${detector!.title}`);
    expect(page.body).toContain(detector!.runbook.trim());
  });
});
