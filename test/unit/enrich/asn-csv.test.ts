import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAddress } from '../../../src/enrich/address.ts';
import { readIPv4, readIPv6 } from '../../../src/enrich/address-bytes.ts';
import { openAsnCsv } from '../../../src/enrich/asn-csv.ts';
import { createRangeTable } from '../../../src/enrich/range-table.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'asn-csv-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function open(text: string, build?: string) {
  const path = join(folder, 'asn-test.csv');
  await writeFile(path, text);
  return { path, database: await openAsnCsv({ path, field: 'enrich.asn[0]', build }) };
}

describe('an ASN file of ip-location-db', () => {
  const FILE = [
    '192.0.2.0,192.0.2.127,64496,"Example, Inc."',
    '192.0.2.128,192.0.2.255,64497,"LLC ""QUOTED"""',
    '198.51.100.0,198.51.100.255,64496,"Example, Inc."',
    '203.0.113.0,203.0.113.9,0,Nobody',
    '203.0.113.10,255.255.255.255,4200000000,Última Milla',
    '2001:db8::,2001:db8:0:ffff:ffff:ffff:ffff:ffff,64498,',
    '2001:db8:1::,ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,64499,Plain Name',
    '',
  ].join('\r\n');

  test.each([
    ['192.0.2.0', { asn: 64496, as_org: 'Example, Inc.' }],
    ['192.0.2.127', { asn: 64496, as_org: 'Example, Inc.' }],
    ['192.0.2.128', { asn: 64497, as_org: 'LLC "QUOTED"' }],
    ['198.51.100.77', { asn: 64496, as_org: 'Example, Inc.' }],
    ['255.255.255.255', { asn: 4_200_000_000, as_org: 'Última Milla' }],
    ['2001:db8::1', { asn: 64498 }],
    ['2001:db8:0:ffff:ffff:ffff:ffff:ffff', { asn: 64498 }],
    ['2001:db8:8000::', { asn: 64499, as_org: 'Plain Name' }],
    ['192.0.1.255', null],
    ['192.0.3.0', null],
    ['203.0.113.5', null],
    ['2001:db7:ffff::', null],
    ['::', null],
  ])('%s', async (text, expected) => {
    const { database } = await open(FILE);
    expect(database.lookup(parseAddress(text)!)).toEqual(expected);
  });

  test('the build is the given version, else the date of the file', async () => {
    expect((await open(FILE, '2.3.2026061719')).database.build).toBe('asn-test@2.3.2026061719');
    const path = join(folder, 'mine.csv');
    await writeFile(path, FILE);
    await utimes(path, new Date('2026-05-04T12:00:00Z'), new Date('2026-05-04T12:00:00Z'));
    expect((await openAsnCsv({ path, field: 'enrich.asn[0]' })).build).toBe('mine@2026-05-04');
  });

  test.each([
    ['a header', 'first,last,asn,name\n', 'line 1'],
    ['numbers for addresses', '16777216,16777471,13335,Cloudflare\n', 'plain numbers'],
    [
      'a short line',
      '192.0.2.0,192.0.2.1,64496,A\n192.0.2.2,192.0.2.3\n198.51.100.0,198.51.100.1,64496,A\n',
      'line 2',
    ],
    ['mixed families', '192.0.2.0,2001:db8::,64496,A\n', 'line 1'],
    ['no AS number', '192.0.2.0,192.0.2.1,AS64496,A\n', 'no AS number'],
    ['a range backwards', '192.0.2.9,192.0.2.1,64496,A\n', 'line 1'],
    ['descending ranges', '192.0.2.9,192.0.2.9,64496,A\n192.0.2.1,192.0.2.1,64496,A\n', 'line 2'],
    ['a cut last line', '192.0.2.0,192.0.2.1,64496,A\n192.0.2.2,192.0', 'line 2'],
    ['nothing', '', 'is empty'],
    ['an empty line', '\n', 'is empty'],
  ])('%s is refused with its place', async (_, text, problem) => {
    const path = join(folder, 'asn-test.csv');
    await expect(open(text)).rejects.toMatchObject({ code: 'ERR_GEO_FILE' });
    await expect(open(text)).rejects.toThrow(problem);
    await expect(open(text)).rejects.toThrow(`enrich.asn[0]: ${path}`);
  });
});

describe('reading addresses from bytes', () => {
  const words = new Uint32Array(4);
  const read = (reader: typeof readIPv4, text: string) => {
    const bytes = Buffer.from(`,${text},`);
    return reader(bytes, 1, bytes.length - 1, words) ? [...words] : null;
  };

  test('IPv4 as ipaddr.js does', () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        expect(read(readIPv4, text)?.[0]).toBe(parseAddress(text)!.words[0]);
      }),
    );
    for (const text of ['', '1.2.3', '1.2.3.4.5', '1..2.3', '1.2.3.256', '1.2.3.x', '.1.2.3']) {
      expect(read(readIPv4, text)).toBeNull();
    }
  });

  test('IPv6 as ipaddr.js does', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        fc.pre(!text.includes('.'));
        const parts = ipaddr.IPv6.parse(text).parts;
        const expected = [0, 2, 4, 6].map((i) => parts[i]! * 65_536 + parts[i + 1]!);
        expect(read(readIPv6, text)).toEqual(expected);
      }),
      { numRuns: 2000 },
    );
    for (const text of [
      '',
      ':',
      ':::',
      '1',
      '1:2',
      '1::2::3',
      '1:2:3:4:5:6:7:8:9',
      '12345::',
      '1::g',
      '1:',
      ':1',
      '1:2:3:4:5:6:7:',
      ':1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8::',
    ]) {
      expect([text, read(readIPv6, text)]).toEqual([text, null]);
    }
  });
});

test('a range table answers as a walk through its ranges does', () => {
  const bounds = fc.uniqueArray(fc.nat(400), { minLength: 2, maxLength: 40 });
  fc.assert(
    fc.property(bounds, fc.nat(400), fc.constantFrom(1 as const, 4 as const), (numbers, probe, width) => {
      const sorted = numbers.sort((a, b) => a - b);
      const words = (n: number) => (width === 1 ? [n] : [Math.floor(n / 100), 0, n % 100, 7]);
      const table = createRangeTable(width);
      const ranges: [number, number][] = [];
      for (let i = 0; i + 1 < sorted.length; i += 2) ranges.push([sorted[i]!, sorted[i + 1]!]);
      ranges.forEach(([first, last], i) => {
        expect(table.add(words(first), words(last), i)).toBe(true);
      });
      const expected = ranges.findIndex(([first, last]) => first <= probe && probe <= last);
      expect(table.build().find(words(probe))).toBe(expected);
    }),
  );
});
