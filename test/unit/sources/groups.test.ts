import { describe, expect, it } from 'vitest';
import { sourceConfig } from '../../../schemas/config-sources.ts';
import { kafkaGroups } from '../../../src/sources/kafka/groups.ts';

const brokers = ['192.0.2.1:9092', '192.0.2.2:9092'];

function groupsOf(configs: Record<string, unknown>[], repartitioned = false) {
  const parsed = configs.map((config) => sourceConfig.parse({ kind: 'kafka', brokers, ...config }));
  return kafkaGroups(
    parsed.filter((config) => config.kind === 'kafka'),
    repartitioned,
  );
}

const access = { topics: ['access'], keyed_by: 'subject' };
const authorization = {
  topics: ['issued', 'revoked'],
  keyed_by: 'subject',
  stream: 'authorization',
  dead_letter_topic: 'letters',
  from_beginning: false,
};

describe('keyed sources of one cluster', () => {
  it('are one partitioned group, each topic with what its source says of it', () => {
    const groups = groupsOf([access, { ...authorization, brokers: [...brokers].reverse() }]);
    const issued = {
      topic: 'issued',
      stream: 'authorization',
      format: 'canonical',
      fromBeginning: false,
      letters: 'letters',
    };
    expect(groups).toMatchObject([
      {
        groupId: 'token-recall',
        partitioned: true,
        topics: [
          { topic: 'access', stream: 'access', format: 'canonical', fromBeginning: true, letters: undefined },
          issued,
          { ...issued, topic: 'revoked' },
        ],
      },
    ]);
  });

  it('have the name that one of them says', () => {
    expect(groupsOf([access, { ...authorization, group_id: 'mine' }])[0]?.groupId).toBe('mine');
    const same = groupsOf([
      { ...access, group_id: 'mine' },
      { ...authorization, group_id: 'mine' },
    ]);
    expect(same).toHaveLength(1);
  });

  it('are not partitioned where their events go through the repartition topic', () => {
    expect(groupsOf([access, authorization], true)).toMatchObject([
      { groupId: 'token-recall', partitioned: false },
    ]);
  });

  it.each([
    ['group_id', { group_id: 'a' }, { group_id: 'b' }],
    ['how they connect', { client_id: 'a' }, { client_id: 'b' }],
    ['how they connect', {}, { tls: {} }],
    [
      'how they connect',
      { sasl: { mechanism: 'plain', username: 'u', password: 'first password' } },
      { sasl: { mechanism: 'plain', username: 'u', password: 'second password' } },
    ],
  ])('must agree on %s', (what, one, other) => {
    const merge = () =>
      groupsOf([
        { ...access, ...one },
        { ...authorization, ...other },
      ]);
    expect(merge).toThrow(what);
    expect(merge).toThrow('kafka:access and kafka:issued,revoked');
    expect(merge).not.toThrow('password');
  });
});

describe('other sources', () => {
  it('have a group of their own, named by their topics', () => {
    expect(
      groupsOf([access, { topics: ['b', 'a'] }, { topics: ['c'], group_id: 'mine' }]).map(
        ({ groupId, partitioned }) => [groupId, partitioned],
      ),
    ).toEqual([
      ['token-recall', true],
      ['token-recall.a.b', false],
      ['mine', false],
    ]);
  });

  it('on another cluster are another group', () => {
    expect(groupsOf([access, { ...authorization, brokers: ['192.0.2.9:9092'] }])).toHaveLength(2);
  });

  it('must not take the name of another group, whose members read other topics', () => {
    expect(() => groupsOf([access, { topics: ['x'], group_id: 'token-recall' }])).toThrow(
      'consumer group token-recall at 192.0.2.1:9092,192.0.2.2:9092 is that of two sources',
    );
  });

  it('must not read a topic twice, not even of another cluster: positions would name two records', () => {
    expect(() => groupsOf([access, { topics: ['access'], brokers: ['192.0.2.9:9092'] }])).toThrow(
      'Kafka topic access is read by two sources',
    );
  });
});
