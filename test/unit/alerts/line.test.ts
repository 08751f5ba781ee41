import { describe, expect, it } from 'vitest';
import { toAlertLine, toDecisionLine, toFindingLine } from '../../../src/alerts/line.ts';
import { alertOf } from './alert.ts';

describe('alert line', () => {
  it('has the keys of the contract, in its order, with RFC 3339 times', () => {
    const line = toAlertLine(alertOf());
    expect(Object.keys(line)).toEqual([
      'alert_id',
      'time',
      'updated',
      'severity',
      'risk',
      'findings',
      'iss',
      'sub',
      'client_id',
      'sid',
      'jti',
      'token_hash',
      'decision',
      'evidence',
      'summary',
    ]);
    expect(line.time).toBe('2026-03-01T09:30:00.000Z');
    expect(Object.keys(line.findings[0]!)).toEqual(['detector', 'confidence', 'time', 'reason']);
    expect(Object.keys(line.decision)).toEqual(['action', 'handle', 'value', 'mode', 'reason']);
    expect(Object.keys(line.evidence[0]!).slice(0, 6)).toEqual([
      'request_id',
      'time',
      'client_ip',
      'country',
      'asn',
      'user_agent',
    ]);
    expect(line.evidence[0]).toMatchObject({
      time: '2026-03-01T09:29:00.000Z',
      geo_build: 'dbip-city-ipv4@2026-06-05',
    });
  });

  it('leaves out what is unknown, at every depth', () => {
    const line = toAlertLine(alertOf({ sid: undefined, jti: undefined }));
    expect(Object.keys(line)).not.toContain('sid');
    expect(Object.keys(line)).not.toContain('jti');
    expect(line.evidence[1]).toEqual({
      event_id: 'event-2',
      time: '2026-03-01T09:30:00.000Z',
      client_ip: '198.51.100.7',
      user_agent: 'curl/8.0',
    });
  });

  it('links findings to their runbooks where an address is known', () => {
    const line = toAlertLine(alertOf(), 'https://recall.example.com/');
    expect(line.findings[0]?.runbook).toBe('https://recall.example.com/v1/detectors/token-replay');
  });

  it('says what is missing to carry a decision out', () => {
    const decision = { ...alertOf().decision, missing: ['the raw token'] };
    expect(toAlertLine(alertOf({ decision })).decision.missing).toEqual(['the raw token']);
  });
});

it('writes a decision with what it concerns, at the time of the latest finding', () => {
  const alert = alertOf({ updated: Date.parse('2026-03-01T09:31:00Z') });
  expect(toDecisionLine(alert)).toEqual({
    alert_id: 'alert-1',
    time: '2026-03-01T09:31:00.000Z',
    severity: 'high',
    risk: 0.97,
    action: 'revoke',
    handle: 'token',
    value: 'jti-1',
    mode: 'enforce',
    reason: 'risk 0.97 with two signals',
    iss: 'https://as.example.com',
    sub: 'user-1',
    client_id: 'client-1',
    sid: 'session-1',
    jti: 'jti-1',
    token_hash: 'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo',
  });
});

it('writes a finding complete, its evidence included', () => {
  const line = toFindingLine(alertOf().findings[0]!);
  expect(line).toMatchObject({
    finding_id: 'finding-1',
    time: '2026-03-01T09:30:00.000Z',
    signals: ['location', 'device'],
    measures: { interleavings: 3 },
    sub: 'user-1',
  });
  expect(line.evidence.map(({ time }) => time)).toEqual([
    '2026-03-01T09:29:00.000Z',
    '2026-03-01T09:30:00.000Z',
  ]);
  expect(Object.keys(line)).not.toContain('sid');
});
