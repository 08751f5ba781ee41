import { describe, expect, it } from 'vitest';
import { secret } from '../../../schemas/secret.ts';
import { partitionKey } from '../../../src/detection/partition-key.ts';
import { decodeRecord } from '../../../src/formats/decode.ts';
import {
  decodeRepartitioned,
  encodeRepartitioned,
  type RepartitionedEvent,
} from '../../../src/pipeline/repartition.ts';

const time = Date.UTC(2026, 5, 1);
const context = { format: 'canonical', now: undefined, maxFuture: 0 };

function decoded(
  stream: 'access' | 'authorization',
  line: Record<string, unknown>,
): RepartitionedEvent['event'] {
  const bytes = Buffer.from(JSON.stringify(line));
  const result = decodeRecord({ bytes, position: '1' }, { ...context, stream });
  if (!result.ok) throw new Error(result.reason);
  return result.event;
}

const TOKEN = 'raw-token-that-nobody-may-see';
const access = decoded('access', {
  time,
  client_ip: '192.0.2.1',
  token: TOKEN,
  iss: 'https://issuer.example',
  sub: 's',
  client_id: 'c',
  scope: 'read write',
  aud: 'api',
  exp: time / 1000 + 60,
  path: `/orders/${'9'.repeat(3_000)}?token=${TOKEN}`,
  forwarded_for: '198.51.100.7, 192.0.2.1',
  user_agent: `curl ${TOKEN}`,
  cnf: { jkt: 'thumb' },
  note: `it was ${TOKEN}`,
});
const authorization = decoded('authorization', {
  time,
  type: 'token_issued',
  sub: 's',
  scope: ['read'],
  requested_scope: 'read write',
});
const arrival = { source: 'kafka:gateway', position: 'gateway/3/17', received_at: time + 1 };
const origin = { stream: 'gateway/3', offset: 17 };

const bytesOf = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value), 'utf8');
const sent = (item: RepartitionedEvent) => {
  const { value } = encodeRepartitioned(item);
  if (typeof value !== 'string') throw new TypeError('expected text');
  return value;
};

describe('a record of the repartition topic', () => {
  it.each([
    ['an access event', access, origin],
    ['an authorization event', authorization, origin],
    ['an event that came not through Kafka', access, undefined],
  ])('brings %s over as it was', (_what, event, from) => {
    const item = { event, arrival, origin: from };
    expect(decodeRepartitioned(bytesOf(sent(item)))).toEqual(item);
    expect(encodeRepartitioned(item).key).toBe(partitionKey(event));
  });

  it('carries no raw token, and refuses an event that does', () => {
    expect(sent({ event: access, arrival, origin })).not.toContain(TOKEN);
    for (const event of [
      { ...access, token: TOKEN },
      { ...access, session: secret(TOKEN) },
    ]) {
      expect(() => encodeRepartitioned({ event, arrival })).toThrow(TypeError);
    }
  });

  it('says nothing of lateness, which the reader finds out', () => {
    const late = { ...arrival, late: true };
    expect(decodeRepartitioned(bytesOf(sent({ event: access, arrival: late }))).arrival).toEqual(arrival);
  });
});

describe('what is no such record', () => {
  const good = JSON.parse(sent({ event: access, arrival, origin })) as Record<string, object>;
  const withEvent = (change: Record<string, unknown>) => ({
    ...good,
    event: { ...good['event'], ...change },
  });

  it.each([
    ['no JSON', 'garbage', 'not valid JSON'],
    ['nothing', '', 'not valid JSON'],
    ['an array', [], 'object'],
    ['a canonical line', { time, client_ip: '192.0.2.1', sub: 's' }, 'v: required'],
    ['a later version', { ...good, v: 2 }, 'v: expected one of 1'],
    ['no event', { ...good, event: undefined }, 'event'],
    ['no id', withEvent({ event_id: undefined }), 'event.event_id: required'],
    ['an unknown kind', withEvent({ kind: 'other' }), 'event'],
    ['a time in seconds', withEvent({ time: time / 1000 }), 'event.time'],
    ['a time in words', withEvent({ time: '2026-06-01T00:00:00Z' }), 'event.time: expected number'],
    ['a subject that is no text', withEvent({ sub: 7 }), 'event.sub: expected string'],
    ['scopes that are no list', withEvent({ scope: 'read' }), 'event.scope: expected array'],
    ['no address', withEvent({ client_ip: 'localhost' }), 'event.client_ip: not an IP address'],
    ['a raw token', withEvent({ token: TOKEN }), 'event.token'],
    ['no arrival', { ...good, arrival: {} }, 'arrival.source: required'],
    ['an offset that is none', { ...good, origin: { stream: 'a/0', offset: -1 } }, 'origin.offset'],
  ])('%s is refused with the reason, and no value', (_what, value, reason) => {
    expect(() => decodeRepartitioned(bytesOf(value))).toThrow(
      expect.objectContaining({
        code: 'ERR_DECODE_SCHEMA',
        message: expect.stringContaining(reason) as string,
      }),
    );
    expect(() => decodeRepartitioned(bytesOf(value))).not.toThrow(TOKEN);
  });
});
