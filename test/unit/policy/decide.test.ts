import { describe, expect, it } from 'vitest';
import { config, type ConfigInput } from '../../../schemas/config.ts';
import type { Finding } from '../../../schemas/finding.ts';
import { createPolicy } from '../../../src/policy/decide.ts';
import { createIncidents } from '../../../src/policy/incidents.ts';
import { findingOf } from '../../support/findings.ts';

const NOW = Date.UTC(2026, 0, 1, 0, 0, 30);

/** Feeds findings one by one and gives the outcome of each step. */
function decideOn(
  findings: Finding[],
  options: { policy?: ConfigInput['policy']; shadow?: string[]; now?: number; settle?: boolean } = {},
) {
  const incidents = createIncidents(1000);
  const parsed = config.parse({ policy: { mode: 'enforce', ...options.policy } }).policy;
  const policy = createPolicy(parsed, { shadowDetectors: new Set(options.shadow) });
  return findings.map((finding) => {
    const incident = incidents.add(finding, NOW);
    if (incident === null) throw new Error('expected a new finding');
    const outcome = policy.decide(incident, options.now ?? NOW);
    if (options.settle !== false) for (const recall of outcome.recalls) recall.settle();
    return outcome;
  });
}

const lastOf = <T>(all: T[]): T => {
  const last = all.at(-1);
  if (last === undefined) throw new Error('expected an outcome');
  return last;
};
const decisionOn = (findings: Finding[], options = {}) => lastOf(decideOn(findings, options)).alert.decision;

describe('an incident of several tokens', () => {
  const first = findingOf({ token_hash: 'hash-1', sid: 'session-1', time: NOW - 9000 });
  const second = findingOf({ token_hash: 'hash-2', sid: 'session-1', time: NOW - 5000 });

  it('names the one accused first, in whichever order they were recalled, and recalls each', () => {
    for (const order of [
      [first, second],
      [second, first],
    ]) {
      const outcomes = decideOn(order);
      expect(lastOf(outcomes).alert.decision).toMatchObject({ action: 'revoke', value: 'hash-1' });
      expect(outcomes.flatMap(({ recalls }) => recalls.map(({ value }) => value)).sort()).toEqual([
        'hash-1',
        'hash-2',
      ]);
    }
  });
});

describe('what findings lead to', () => {
  it('revokes the token that two independent kinds of evidence accuse', () => {
    const [outcome] = decideOn([findingOf()]);
    expect(outcome?.alert.decision).toMatchObject({
      action: 'revoke',
      handle: 'token',
      value: 'hash-1',
      mode: 'enforce',
    });
    expect(outcome?.alert.decision.reason).toContain('corroborated by device and location');
    expect(outcome?.recalls.map(({ value }) => value)).toEqual(['hash-1']);
  });

  it('never revokes on one kind of evidence, however sure and however many detectors', () => {
    const claims = [
      findingOf({ confidence: 0.99, signals: ['location'] }),
      findingOf({ confidence: 0.99, signals: ['location'], detector: 'impossible-travel' }),
    ];
    const decision = decisionOn(claims);
    expect(decision.action).toBe('alert');
    expect(decision.reason).toContain('VPN');
  });

  it('revokes on one kind of evidence that is conclusive', () => {
    const decision = decisionOn([findingOf({ signals: ['binding'], conclusive: true })]);
    expect(decision.action).toBe('revoke');
  });

  it.each([
    [0.3, 'record'],
    [0.6, 'alert'],
    [0.85, 'approval'],
    [0.9, 'revoke'],
  ])('risk %d: %s', (confidence, action) => {
    expect(decisionOn([findingOf({ confidence })]).action).toBe(action);
  });

  it('asks a person where the log names no token, and says what is missing', () => {
    const decision = decisionOn([findingOf({ token_hash: undefined })]);
    expect(decision).toMatchObject({ action: 'approval', handle: 'subject', value: 'user-1' });
    expect(decision.missing?.join()).toContain('names no token');
  });
});

describe('guards', () => {
  it.each([
    [{ subjects: ['user-1'] }, 'subject user-1'],
    [{ clients: ['web'] }, 'client web'],
    [{ issuers: ['https://as.example'] }, 'issuer https://as.example'],
    [{ networks: ['203.0.113.0/24'] }, '203.0.113.9'],
  ])('never revokes what is listed: %j', (never_revoke, named) => {
    const outcome = lastOf(decideOn([findingOf()], { policy: { never_revoke } }));
    expect(outcome.alert.decision.action).toBe('alert');
    expect(outcome.alert.decision.reason).toContain(named);
    expect(outcome.recalls).toEqual([]);
  });

  it('lets a cold log alert, never revoke', () => {
    const time = NOW - 16 * 60_000;
    const decision = decisionOn([findingOf({ time })]);
    expect(decision.action).toBe('alert');
    expect(decision.reason).toContain('960 s old, the limit is 900 s');
  });

  it('asks for approval past the budget, and has budget again a minute later', () => {
    const incidents = createIncidents(10);
    const policy = createPolicy(
      config.parse({ policy: { mode: 'enforce', budget: { per_minute: 2 } } }).policy,
      {
        shadowDetectors: new Set(),
      },
    );
    const act = (token: string, now: number) => {
      const incident = incidents.add(findingOf({ token_hash: token }), now);
      if (incident === null) throw new Error('expected a new incident');
      return policy.decide(incident, now).alert.decision.action;
    };
    expect(['a', 'b', 'c'].map((token) => act(token, NOW))).toEqual(['revoke', 'revoke', 'approval']);
    expect(act('d', NOW + 60_000)).toBe('revoke');
  });

  it('decides in shadow when told so, by default too', () => {
    expect(decisionOn([findingOf()], { policy: { mode: 'shadow' } })).toMatchObject({
      action: 'revoke',
      mode: 'shadow',
    });
    expect(config.parse({}).policy.mode).toBe('shadow');
  });

  it('does not act on what only a detector in shadow claims, and shows what it would have done', () => {
    const alone = lastOf(decideOn([findingOf()], { shadow: ['token-replay'] }));
    expect(alone.alert.decision).toMatchObject({ action: 'revoke', mode: 'shadow' });
    expect(alone.recalls.map(({ mode }) => mode)).toEqual(['shadow']);
  });

  it('acts on what a detector in enforce claims, whatever one in shadow said before', () => {
    const drift = findingOf({ detector: 'scope-drift', signals: ['scope', 'endpoint'], confidence: 0.95 });
    const { alert, recalls } = lastOf(decideOn([findingOf(), drift], { shadow: ['token-replay'] }));
    expect(alert.decision).toMatchObject({ action: 'revoke', mode: 'enforce' });
    expect(recalls.map(({ mode }) => mode)).toEqual(['enforce']);
  });

  it('still asks a person where only a detector in shadow would revoke', () => {
    const unsure = findingOf({ detector: 'scope-drift', signals: ['scope', 'endpoint'], confidence: 0.85 });
    const { alert, recalls } = lastOf(decideOn([findingOf(), unsure], { shadow: ['token-replay'] }));
    expect(alert.decision).toMatchObject({ action: 'approval', mode: 'enforce' });
    expect(alert.decision.reason).toContain('with the detectors in shadow: revoke');
    expect(recalls).toEqual([]);
  });

  it('does not spend the budget on decisions in shadow', () => {
    const findings = ['a', 'b', 'c'].map((token_hash) => findingOf({ token_hash }));
    const real = findingOf({ token_hash: 'd', detector: 'scope-drift', signals: ['scope', 'endpoint'] });
    const outcomes = decideOn([...findings, real], {
      policy: { budget: { per_minute: 1 } },
      shadow: ['token-replay'],
    });
    expect(lastOf(outcomes).alert.decision).toMatchObject({ action: 'revoke', mode: 'enforce' });
  });

  it('limits the recalls of one client, not those of others', () => {
    const policy = { budget: { per_client_per_hour: 1 } };
    const findings = [
      findingOf({ token_hash: 'a' }),
      findingOf({ token_hash: 'b' }),
      findingOf({ token_hash: 'c', client_id: 'mobile' }),
    ];
    const actions = decideOn(findings, { policy }).map(({ alert }) => alert.decision.action);
    expect(actions).toEqual(['revoke', 'approval', 'revoke']);
  });

  it('protects the networks that are listed, and no others', () => {
    const never_revoke = { networks: ['198.51.100.0/24', '2001:db8::/32'] };
    expect(decisionOn([findingOf()], { policy: { never_revoke } }).action).toBe('revoke');
  });

  it('does not take what is faint for corroboration, nor an old claim for a new one', () => {
    const travel = findingOf({
      detector: 'impossible-travel',
      confidence: 0.85,
      signals: ['location', 'device'],
    });
    expect(decisionOn([travel, findingOf({ confidence: 0.4 })]).action).toBe('approval');
    const old = findingOf({ time: NOW - 3_600_000, conclusive: true, signals: ['binding'] });
    expect(decisionOn([old, findingOf({ confidence: 0.6 })]).action).toBe('alert');
    expect(decisionOn([old, findingOf({ time: NOW })]).action).toBe('revoke');
  });
});

describe('one incident', () => {
  it('recalls each accused token of a session by its own findings, once', () => {
    const sid = 'session-1';
    const outcomes = decideOn([
      findingOf({ sid, token_hash: 'stolen' }),
      findingOf({ sid, token_hash: 'stolen', confidence: 0.97 }),
      findingOf({ sid, token_hash: 'other', confidence: 0.6 }),
      findingOf({ sid, token_hash: 'second', confidence: 0.95 }),
    ]);
    expect(outcomes.map(({ recalls }) => recalls.map(({ value }) => value))).toEqual([
      ['stolen'],
      [],
      [],
      ['second'],
    ]);
    expect(new Set(outcomes.map(({ alert }) => alert.alert_id)).size).toBe(1);
    expect(lastOf(outcomes).alert.decision.value).toBe('stolen');
  });

  it('never takes a decision back because a milder finding follows', () => {
    const outcomes = decideOn([findingOf(), findingOf({ confidence: 0.1, token_hash: 'hash-1' })]);
    expect(outcomes.map(({ alert }) => alert.decision.action)).toEqual(['revoke', 'revoke']);
    const sid = 'session-1';
    const onTwoTokens = decideOn([
      findingOf({ sid, token_hash: 'first', confidence: 0.85 }),
      findingOf({ sid, token_hash: 'second', confidence: 0.6 }),
    ]);
    expect(onTwoTokens.map(({ alert }) => alert.decision.action)).toEqual(['approval', 'approval']);
  });

  it('asks again for a recall that could not be made', () => {
    const outcomes = decideOn([findingOf(), findingOf({ confidence: 0.97 })], { settle: false });
    expect(outcomes.map(({ recalls }) => recalls.length)).toEqual([1, 1]);
  });

  it('judges every token of a session, however many are accused', () => {
    const findings = Array.from({ length: 25 }, (_, at) =>
      findingOf({ sid: 's', token_hash: `token-${at}` }),
    );
    const outcomes = decideOn(findings, { policy: { budget: { per_minute: 100 } } });
    expect(outcomes.flatMap(({ recalls }) => recalls.map(({ value }) => value))).toHaveLength(25);
    expect(lastOf(outcomes).alert.findings).toHaveLength(20);
  });

  it('gives every version of an alert a higher number', () => {
    const versions = decideOn([findingOf(), findingOf({ confidence: 0.97 })]).map(
      ({ alert }) => alert.version,
    );
    expect(versions[1]).toBeGreaterThan(versions[0] ?? Infinity);
  });

  it('follows a detector that thinks again, but leaves recalled what is recalled', () => {
    const unsure = findingOf({ finding_id: 'f', confidence: 0.85 });
    const withdrawn = { ...unsure, confidence: 0, reason: 'explained by a consent that arrived late' };
    expect(decideOn([unsure, withdrawn]).map(({ alert }) => alert.decision.action)).toEqual([
      'approval',
      'record',
    ]);
    const sure = { ...unsure, confidence: 0.95 };
    expect(decideOn([sure, withdrawn]).map(({ alert }) => alert.decision.action)).toEqual([
      'revoke',
      'revoke',
    ]);
    const surer = decideOn([unsure, sure]);
    expect(surer.map(({ recalls }) => recalls.length)).toEqual([0, 1]);
    expect(lastOf(surer).alert.findings).toHaveLength(1);
  });

  it('makes the same alert of the same findings in any order', () => {
    const claims = [
      findingOf({ sid: 's', time: NOW - 3000, confidence: 0.4 }),
      findingOf({ sid: 's', time: NOW - 2000, detector: 'impossible-travel', confidence: 0.7 }),
      findingOf({ sid: 's', time: NOW - 1000, confidence: 0.5 }),
    ];
    const { decision: forwards, ...alert } = lastOf(decideOn(claims)).alert;
    const { decision: backwards, ...reversed } = lastOf(decideOn([...claims].reverse())).alert;
    expect(reversed).toEqual(alert);
    expect(backwards.action).toBe(forwards.action);
  });

  it('stays small in a storm and keeps the strongest claims', () => {
    const claims = Array.from({ length: 60 }, (_, at) =>
      findingOf({ time: NOW + at, confidence: at === 59 ? 0.99 : 0.2 }),
    );
    const incidents = createIncidents(10);
    for (const claim of claims) incidents.add(claim, NOW);
    const incident = incidents.add(findingOf({ time: NOW + 100, confidence: 0.5 }), NOW);
    expect(incident?.findings).toHaveLength(5);
    expect(Math.max(...(incident?.findings ?? []).map(({ confidence }) => confidence))).toBe(0.99);
  });

  it('takes a repeated finding for what it is', () => {
    const incidents = createIncidents(10);
    const finding = findingOf();
    expect(incidents.add(finding, NOW)).not.toBeNull();
    expect(incidents.add({ ...finding }, NOW)).toBeNull();
    expect(incidents.add(findingOf({ confidence: 0 }), NOW)).toBeNull();
  });
});
