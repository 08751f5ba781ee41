import { describe, expect, it } from 'vitest';
import { config } from '../../../schemas/config.ts';
import type { KeyScope } from '../../../src/detection/contract.ts';
import { checkPartitioning } from '../../../src/sources/partitioning.ts';

const kafka = { kind: 'kafka', brokers: ['192.0.2.1:9092'], topics: ['access'] };
const repartition = { brokers: ['192.0.2.1:9092'] };
const SCOPES: KeyScope[] = ['token', 'session', 'subject', 'client'];

function check(scopes: readonly KeyScope[], input: Record<string, unknown>) {
  return () =>
    checkPartitioning(
      scopes.map((scope) => ({ id: `needs-${scope}`, scope })),
      config.parse(input),
    );
}
const covered = (input: Record<string, unknown>) =>
  SCOPES.filter((scope) => {
    try {
      check([scope], input)();
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_PARTITIONING' });
      return false;
    }
  });

describe('checkPartitioning', () => {
  it.each([
    ['subject', ['token', 'session', 'subject']],
    ['session', ['token', 'session']],
    ['token', ['token']],
    ['client', ['client']],
    ['none', []],
  ])('a topic keyed by %s covers %o', (keyed_by, scopes) => {
    expect(covered({ sources: [{ ...kafka, keyed_by }] })).toEqual(scopes);
  });

  it('the repartition topic covers all but the client, however sources are keyed', () => {
    const sources = [kafka, { ...kafka, keyed_by: 'client', brokers: ['192.0.2.9:1'] }, { kind: 'stdin' }];
    expect(covered({ sources, repartition })).toEqual(['token', 'session', 'subject']);
    expect(covered({ sources: [{ kind: 'stdin' }], repartition })).toEqual(['token', 'session', 'subject']);
  });

  it('one worker without Kafka has everything', () => {
    expect(covered({ sources: [{ kind: 'stdin' }, { kind: 'file', path: 'x' }] })).toEqual(SCOPES);
    expect(covered({})).toEqual(SCOPES);
  });

  it.each([
    ['a file', { kind: 'file', path: '/var/log/a' }, 'source file:/var/log/a stands beside Kafka sources'],
    ['standard input', { kind: 'stdin' }, 'source stdin stands beside Kafka sources'],
    [
      'another cluster',
      { ...kafka, topics: ['b'], keyed_by: 'subject', brokers: ['192.0.2.9:1'] },
      'kafka:access and kafka:b are topics of different clusters',
    ],
    [
      'a topic keyed otherwise',
      { ...kafka, topics: ['b'], keyed_by: 'token' },
      'source kafka:access is keyed by subject and source kafka:b by token',
    ],
  ])('%s beside a topic keyed by subject is refused', (_what, other, problem) => {
    const sources = [{ ...kafka, keyed_by: 'subject' }, other];
    expect(check(['token'], { sources })).toThrow(problem);
    expect(check(['token'], { sources, repartition })).not.toThrow();
    expect(check([], { sources })).not.toThrow();
  });

  it('names every detector that is not covered, the source, and what to do', () => {
    const sources = [
      { ...kafka, keyed_by: 'subject' },
      { ...kafka, topics: ['b'] },
    ];
    let message = '';
    try {
      check(['token', 'client'], { sources })();
    } catch (error) {
      if (error instanceof Error) message = error.message;
    }
    expect(message.split('\n')).toEqual([
      'detector needs-client needs all events of a client in one partition, and source kafka:access is keyed by subject: have its producer key records by client and say so (`keyed_by: client`), or turn it off (detectors.needs-client.enabled: false)',
      'detector needs-token needs all events of a token in one partition, and source kafka:b is not keyed: have its producer key records by subject and say so (`keyed_by: subject`), set `repartition`, or turn it off (detectors.needs-token.enabled: false)',
      'detector needs-client needs all events of a client in one partition, and source kafka:b is not keyed: have its producer key records by client and say so (`keyed_by: client`), or turn it off (detectors.needs-client.enabled: false)',
    ]);
  });
});
