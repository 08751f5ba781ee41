import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { expect, test } from 'vitest';
import { parseAddress, parseNetwork } from '../../../src/enrich/address.ts';
import { createNetworkMap } from '../../../src/enrich/network-map.ts';

const mapOf = (blocks: readonly string[]) =>
  createNetworkMap(blocks.map((text, i) => [parseNetwork(text)!, i]));

test('the first block in the list wins, not the longest', () => {
  const map = mapOf(['203.0.113.0/24', '203.0.113.7/32', '0.0.0.0/0']);
  expect(map.firstMatch(parseAddress('203.0.113.7')!)).toBe(0);
  expect(map.firstMatch(parseAddress('198.51.100.1')!)).toBe(2);
});

test('IPv4 blocks hold no IPv6 addresses, nor the other way round', () => {
  expect(mapOf(['0.0.0.0/0']).firstMatch(parseAddress('2001:db8::1')!)).toBeUndefined();
  expect(mapOf(['::/0']).firstMatch(parseAddress('203.0.113.7')!)).toBeUndefined();
});

// Few bits vary, so that blocks and addresses meet.
const ipv4 = fc
  .tuple(fc.constantFrom(10, 138, 255), fc.nat(3), fc.nat(255), fc.nat(255))
  .map((o) => o.join('.'));
const ipv6 = fc
  .tuple(fc.constantFrom('2001', '2a00', 'ffff'), fc.constantFrom('0', '1', '8000', 'ffff'), fc.nat(65_535))
  .map(([a, b, c]) => `${a}:db9:${b}:${b}::${c.toString(16)}`);
const block = fc.oneof(
  fc.tuple(ipv4, fc.nat(32)).map(([address, prefix]) => `${address}/${prefix}`),
  fc.tuple(ipv6, fc.nat(128)).map(([address, prefix]) => `${address}/${prefix}`),
);

test('answers as a walk through the list does', () => {
  fc.assert(
    fc.property(fc.array(block, { maxLength: 12 }), fc.oneof(ipv4, ipv6), (blocks, text) => {
      const address = ipaddr.parse(text);
      const first = blocks.findIndex((cidr) => {
        const range = ipaddr.parseCIDR(cidr);
        return range[0].kind() === address.kind() && address.match(range);
      });
      expect(mapOf(blocks).firstMatch(parseAddress(text)!)).toBe(first === -1 ? undefined : first);
    }),
    { numRuns: 500 },
  );
});
