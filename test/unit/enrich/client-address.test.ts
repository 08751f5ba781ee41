import { describe, expect, test } from 'vitest';
import { createClientAddress } from '../../../src/enrich/client-address.ts';

const LOAD_BALANCER = '10.0.0.5';
const CDN = '198.51.100.20';
const CLIENT = '203.0.113.7';
const FORGED = '192.0.2.66';

const clients = createClientAddress(['10.0.0.0/8', '198.51.100.0/24', '2001:db8:cd::/48']);
const of = (peer: string, forwardedFor?: string[]) => clients.of(peer, forwardedFor)?.text;

describe('the client of a request', () => {
  test('is the peer, whatever an untrusted peer says it forwards for', () => {
    expect(of(CLIENT)).toBe(CLIENT);
    expect(of(CLIENT, [])).toBe(CLIENT);
    expect(of(CLIENT, [FORGED])).toBe(CLIENT);
    expect(of(CLIENT, [FORGED, LOAD_BALANCER])).toBe(CLIENT);
  });

  test('is the hop that the trusted proxy wrote, not the ones that the client wrote before it', () => {
    expect(of(LOAD_BALANCER, [CLIENT])).toBe(CLIENT);
    expect(of(LOAD_BALANCER, [FORGED, CLIENT])).toBe(CLIENT);
    expect(of(LOAD_BALANCER, [FORGED, LOAD_BALANCER, CLIENT])).toBe(CLIENT);
  });

  test('is found behind several trusted proxies', () => {
    expect(of(LOAD_BALANCER, [FORGED, CLIENT, CDN])).toBe(CLIENT);
    expect(of(LOAD_BALANCER, [CLIENT, '2001:db8:cd::9', CDN])).toBe(CLIENT);
  });

  test('is found where proxy or hop are IPv4-mapped, or the block is', () => {
    expect(of('::ffff:10.0.0.5', [CLIENT])).toBe(CLIENT);
    expect(of(LOAD_BALANCER, ['::ffff:cb00:7107'])).toBe(CLIENT);
    expect(createClientAddress(['::ffff:10.0.0.0/104']).of(LOAD_BALANCER, [CLIENT])?.text).toBe(CLIENT);
  });

  test('is the last good hop where the next is no address', () => {
    expect(of(LOAD_BALANCER, [CLIENT, 'unknown'])).toBe(LOAD_BALANCER);
    expect(of(LOAD_BALANCER, [CLIENT, 'unknown', CDN])).toBe(CDN);
    expect(of(LOAD_BALANCER, [CLIENT, ''])).toBe(LOAD_BALANCER);
    expect(of(LOAD_BALANCER, [CLIENT, '1'.repeat(1_000_000)])).toBe(LOAD_BALANCER);
  });

  test('is the outermost hop where all are trusted', () => {
    expect(of(LOAD_BALANCER, ['10.9.9.9', CDN])).toBe('10.9.9.9');
    expect(of(LOAD_BALANCER)).toBe(LOAD_BALANCER);
  });

  test('is unknown where the peer is no address', () => {
    expect(of('-', [CLIENT])).toBeUndefined();
  });

  test('a forged NAT64 hop cannot pass for a trusted proxy', () => {
    expect(of(LOAD_BALANCER, [FORGED, '64:ff9b::10.0.0.9'])).toBe('64:ff9b::a00:9');
  });
});

test('a trusted proxy that is no network is refused with its place', () => {
  expect(() => createClientAddress(['10.0.0.0/8', '10.0.0.0/64'])).toThrow(
    expect.objectContaining({
      code: 'ERR_CONFIG_INVALID',
      message: expect.stringContaining('enrich.trusted_proxies[1]') as string,
    }),
  );
});
