import { expect, test } from 'vitest';
import type { Action } from '../../../schemas/action.ts';
import type { Alert, DecisionAction } from '../../../schemas/alert.ts';
import { judge, type Facts } from '../../../src/demo/verdict.ts';

const attack = {
  id: 'overseas' as const,
  title: 'a theft',
  token_hash: 'stolen',
  through: 3,
  began: 1_000,
  stopped_after_s: 1.5,
};
const receiptOf = (value: string, state: Action['state']): Action => ({
  action_id: `action-${value}`,
  requested_by: 'policy',
  requested_at: 0,
  responder: 'rfc7009',
  handle: 'token',
  value,
  event_time: 0,
  mode: 'enforce',
  state,
  attempts: 1,
  reason: '',
  detail: '',
  updated_at: 0,
});
const alertOf = (value: string, action: DecisionAction): Alert => ({
  alert_id: `alert-${value}`,

  version: 1,
  time: 0,
  updated: 0,
  severity: 'high',
  risk: 0.9,
  findings: [],
  decision: { action, handle: 'token', value, mode: 'enforce', reason: '' },
  evidence: [],
  summary: '',
});
const holder = {
  who: "user-1's laptop",
  owner: 'user-1',
  machine: false,
  token_hash: 'own',
  active: true,
  refusals: 0,
};
const good: Facts = {
  attacks: [attack],
  alerts: [alertOf('stolen', 'revoke')],
  receipts: [receiptOf('stolen', 'confirmed')],
  honest: [holder],
  historyAlerts: 0,
  failures: [],
};

test('all stopped, proven, and nobody else touched: ok', () => {
  expect(judge(good)).toMatchObject({
    ok: true,
    stopped: 1,
    touched: 0,
    people: 1,
    machines: 0,
    alerted: 0,
    problems: [],
  });
});

test.each<[string, Partial<Facts>, string]>([
  [
    'the attacker never met a 401',
    { attacks: [{ ...attack, stopped_after_s: null }] },
    'not stopped: a theft',
  ],
  ['the recall is only accepted', { receipts: [receiptOf('stolen', 'accepted')] }, 'never proven'],
  ['an honest token is dead', { honest: [{ ...holder, active: false }] }, 'its token is dead'],
  ['an honest holder met a 401', { honest: [{ ...holder, refusals: 1 }] }, 'refused 1 times'],
  [
    'a recall of an honest token was asked',
    { receipts: [receiptOf('stolen', 'confirmed'), receiptOf('own', 'failed')] },
    'was to be recalled',
  ],
  [
    'the decision on an honest token was to revoke',
    { alerts: [alertOf('stolen', 'revoke'), alertOf('own', 'revoke')] },
    'the decision was to revoke',
  ],
  ['history alone led to alerts', { historyAlerts: 2 }, '2 alerts on'],
  ['a session broke', { failures: ['a session broke'] }, 'a session broke'],
])('not ok where %s', (_, change, problem) => {
  const verdict = judge({ ...good, ...change });
  expect(verdict.ok).toBe(false);
  expect(verdict.problems.join('\n')).toContain(problem);
});

test('an alert that asks a person to look touches nobody, and is counted', () => {
  const alerts = [...good.alerts, alertOf('own', 'alert')];
  expect(judge({ ...good, alerts })).toMatchObject({ ok: true, touched: 0, alerted: 1 });
});
