import { describe, expect, it } from 'vitest';
import { assess, severityOf } from '../../../src/policy/assess.ts';
import { findingOf } from '../../support/findings.ts';

describe('assess', () => {
  it('combines different detectors as independent claims', () => {
    const replay = findingOf({ detector: 'token-replay', confidence: 0.9 });
    const travel = findingOf({ detector: 'impossible-travel', confidence: 0.7, signals: ['location'] });
    // 1 − (1 − 0.9)(1 − 0.7)
    expect(assess([replay, travel]).risk).toBe(0.97);
  });

  it('counts a detector once, by its strongest finding, however often it repeats itself', () => {
    const claims = [0.5, 0.6, 0.6, 0.4].map((confidence) => findingOf({ confidence }));
    expect(assess(claims).risk).toBe(0.6);
  });

  it('gives the same for any order', () => {
    const claims = [
      findingOf({ confidence: 0.6 }),
      findingOf({ confidence: 0.6, time: 5 }),
      findingOf({ detector: 'scope-drift', confidence: 0.6, signals: ['scope'] }),
    ];
    const forwards = assess(claims);
    expect(assess([...claims].reverse())).toEqual(forwards);
    expect(forwards.signals).toEqual(['device', 'location', 'scope']);
  });

  it('is conclusive as soon as one finding is', () => {
    const claims = [findingOf({ confidence: 0.9 }), findingOf({ confidence: 0.6, conclusive: true })];
    expect(assess(claims).conclusive).toBe(true);
  });

  it.each([
    [0.1, 'low'],
    [0.5, 'medium'],
    [0.8, 'high'],
    [0.98, 'critical'],
  ])('risk %d is of severity %s', (risk, severity) => {
    expect(severityOf(risk)).toBe(severity);
  });
});
