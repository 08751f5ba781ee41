import { describe, expect, test } from 'vitest';
import { parseAddress, parseNetwork } from '../../../src/enrich/address.ts';

describe('parseAddress', () => {
  test.each([
    ['plain', '203.0.113.7', '203.0.113.7'],
    ['with a port', '203.0.113.7:4711', '203.0.113.7'],
    ['with white space', ' 203.0.113.7\t', '203.0.113.7'],
    ['IPv6 written out', '2001:0DB8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['IPv6, the longest run of zeros shortened', '2001:db8:0:0:1:0:0:0', '2001:db8:0:0:1::'],
    ['IPv6 in brackets', '[2001:db8::1]', '2001:db8::1'],
    ['IPv6 in brackets with a port', '[2001:db8::1]:443', '2001:db8::1'],
    ['IPv6 with a zone', 'fe80::1%eth0', 'fe80::1'],
    ['IPv4-mapped', '::ffff:203.0.113.7', '203.0.113.7'],
    ['IPv4-mapped in hexadecimal', '::FFFF:cb00:7107', '203.0.113.7'],
    ['IPv4-mapped private', '::ffff:10.0.0.1', '10.0.0.1'],
    ['NAT64', '64:ff9b::8.8.8.8', '8.8.8.8'],
    ['6to4', '2002:808:808::1', '8.8.8.8'],
    ['Teredo', '2001:0:4136:e378:8000:63bf:f7f7:f7f7', '8.8.8.8'],
  ])('%s: %s', (_, text, canonical) => {
    expect(parseAddress(text)?.text).toBe(canonical);
  });

  test.each([
    ['NAT64 of a private address', '64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ['6to4 of a private address', '2002:a00:1::1', '2002:a00:1::1'],
    [
      'Teredo of a loopback address',
      '2001:0:4136:e378:8000:63bf:80ff:fffe',
      '2001:0:4136:e378:8000:63bf:80ff:fffe',
    ],
  ])('%s is not believed', (_, text, canonical) => {
    expect(parseAddress(text)).toMatchObject({ family: 6, text: canonical });
  });

  test.each([
    '',
    '-',
    'unknown',
    '_hidden',
    '203.0.113',
    '203.0.113.256',
    '203.0.113.07',
    '0x7f.0.0.1',
    '3405803783',
    '203.0.113.7:port',
    '203.0.113.7/24',
    '[2001:db8::1',
    '[2001:db8::1]x',
    '2001:db8::1::2',
    ':::',
    'gateway.example',
  ])('%j is no address', (text) => {
    expect(parseAddress(text)).toBeNull();
  });

  test('words are unsigned', () => {
    expect(parseAddress('255.0.0.1')?.words).toEqual([0xff000001]);
    expect(parseAddress('ff00:8000::ffff:1')?.words).toEqual([0xff008000, 0, 0, 0xffff0001]);
  });
});

describe('parseNetwork', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0', 8],
    ['203.0.113.7', '203.0.113.7', 32],
    ['2001:db8::/32', '2001:db8::', 32],
    ['::1', '::1', 128],
    ['::ffff:10.0.0.0/104', '10.0.0.0', 8],
    ['0.0.0.0/0', '0.0.0.0', 0],
  ])('%s', (text, base, prefix) => {
    expect(parseNetwork(text)).toMatchObject({ base: { text: base }, prefix });
  });

  test.each(['', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/8/8', '10/8', '2001:db8::/129', 'x/8'])(
    '%j is no network',
    (text) => {
      expect(parseNetwork(text)).toBeNull();
    },
  );
});
