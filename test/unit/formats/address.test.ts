import { describe, expect, it } from 'vitest';
import { canonicalAddress } from '../../../src/formats/address.ts';

describe('canonicalAddress', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    [' 192.0.2.1 ', '192.0.2.1'],
    ['192.0.2.1:5678', '192.0.2.1'],
    ['::1', '::1'],
    ['[::1]:443', '::1'],
    ['[::1]', '::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['[fe80::1%25eth0]:80', 'fe80::1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['[::ffff:c000:201]:1', '192.0.2.1'],
  ])('of %s is %s', (text, address) => {
    expect(canonicalAddress(text)).toBe(address);
  });

  it.each([
    '',
    'localhost',
    '127.1',
    '0x7f.0.0.1',
    '010.0.0.1',
    '256.0.0.1',
    '2130706433',
    '1::2::3',
    '[192.0.2.1',
    '192.0.2.1:x',
    '-',
  ])('of %j is none', (text) => {
    expect(canonicalAddress(text)).toBeNull();
  });
});
