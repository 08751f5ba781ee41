import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAddress } from '../../../src/enrich/address.ts';
import { openAsnDatabase } from '../../../src/enrich/asn-database.ts';
import { openCityDatabase } from '../../../src/enrich/city-database.ts';
import { readPlace } from '../../../src/enrich/city-record.ts';
import { writeMmdb } from '../../support/mmdb.ts';

const BUILT = new Date('2026-06-05T13:42:02Z');

const LYON = { city: { geoname_id: 1, names: { de: 'Lyon', en: 'Lyon' } }, country: { iso_code: 'FR' } };
const LYON_FIX = { location: { accuracy_radius: 20, latitude: 45.75, longitude: 4.85 } };

describe('a record of MaxMind', () => {
  test('with everything', () => {
    expect(readPlace({ ...LYON, ...LYON_FIX })).toEqual({
      country: 'FR',
      city: 'Lyon',
      latitude: 45.75,
      longitude: 4.85,
      accuracy_km: 20,
    });
  });

  test('without a city keeps country and coordinates', () => {
    expect(readPlace({ country: { iso_code: 'FR' }, ...LYON_FIX })).toEqual({
      country: 'FR',
      latitude: 45.75,
      longitude: 4.85,
      accuracy_km: 20,
    });
  });

  test('without an English name has the one there is', () => {
    expect(readPlace({ city: { names: { ja: '東京' } } })).toEqual({ city: '東京' });
  });

  test('the country is where the address is, not where it is registered', () => {
    expect(readPlace({ registered_country: { iso_code: 'US' } })).toBeNull();
  });
});

describe('a flat record of ip-location-db', () => {
  const flat = {
    city: 'Lyon',
    country_code: 'FR',
    latitude: 45.75,
    longitude: 4.85,
    postcode: '',
    state1: '',
  };
  const fix = { country: 'FR', city: 'Lyon', latitude: 45.75, longitude: 4.85 };

  test.each([
    ['numbers', {}, fix],
    ['numeric texts', { latitude: '45.75', longitude: '4.85' }, fix],
    ['an empty city', { city: '' }, { country: 'FR', latitude: 45.75, longitude: 4.85 }],
    ['an empty country', { country_code: '' }, { city: 'Lyon', latitude: 45.75, longitude: 4.85 }],
    ['empty coordinates', { latitude: '', longitude: '' }, { country: 'FR', city: 'Lyon' }],
    ['half a position', { longitude: '' }, { country: 'FR', city: 'Lyon' }],
    ['coordinates that are no numbers', { latitude: 'n/a' }, { country: 'FR', city: 'Lyon' }],
    ['coordinates out of range', { latitude: 145.75 }, { country: 'FR', city: 'Lyon' }],
    ['infinite coordinates', { latitude: Infinity }, { country: 'FR', city: 'Lyon' }],
    ['the unknown country', { country_code: 'ZZ' }, { city: 'Lyon', latitude: 45.75, longitude: 4.85 }],
    [
      '0,0 in a country',
      { latitude: 0, longitude: 0 },
      { country: 'FR', city: 'Lyon', latitude: 0, longitude: 0 },
    ],
    ['0,0 and nothing else', { city: '', country_code: '', latitude: 0, longitude: 0 }, null],
    ['0,0 as texts and nothing else', { city: '', country_code: '', latitude: '0', longitude: '0.0' }, null],
    ['nothing', { city: '', country_code: '', latitude: '', longitude: '' }, null],
  ])('with %s', (_, change, expected) => {
    expect(readPlace({ ...flat, ...change })).toEqual(expected);
  });
});

test.each([null, undefined, 7, 'FR', [], {}, { city: 7, location: 'x' }, { country: null }])(
  'a record %j says nothing',
  (record) => {
    expect(readPlace(record)).toBeNull();
  },
);

describe('database files', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'city-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function file(name: string, bytes: Uint8Array | string) {
    const path = join(folder, name);
    await writeFile(path, bytes);
    return { path, field: 'enrich.city[0]' };
  }
  const nested = { ...LYON, ...LYON_FIX };
  const at = (text: string) => parseAddress(text)!;

  test('an IPv4 file answers IPv4 only: an IPv6 look-up in it would give the record of the first 32 bits', async () => {
    const bytes = writeMmdb({ type: 'City', ipVersion: 4, built: BUILT, records: [['0.0.0.0/1', nested]] });
    const cities = await openCityDatabase(await file('GeoLite2-City.mmdb', bytes));
    expect(cities.build).toBe('GeoLite2-City@2026-06-05');
    expect(cities.lookup(at('32.1.13.184'))).toMatchObject({ city: 'Lyon' });
    expect(cities.lookup(at('203.0.113.1'))).toBeNull();
    expect([cities.covers(4), cities.covers(6)]).toEqual([true, false]);
  });

  test('one file may hold both families', async () => {
    const tokyo = { city: 'Tokyo', country_code: 'JP', latitude: 35.68, longitude: 139.69 };
    const records = [
      ['203.0.113.0/24', nested],
      ['2001:db8::/32', tokyo],
    ] as const;
    const bytes = writeMmdb({ type: 'City', ipVersion: 6, built: BUILT, records });
    const cities = await openCityDatabase(await file('both.mmdb', bytes));
    expect([cities.covers(4), cities.covers(6)]).toEqual([true, true]);
    expect(cities.lookup(at('203.0.113.9'))).toMatchObject({ city: 'Lyon', accuracy_km: 20 });
    expect(cities.lookup(at('::ffff:203.0.113.9'))).toMatchObject({ city: 'Lyon' });
    expect(cities.lookup(at('2001:db8::9'))).toMatchObject({ city: 'Tokyo' });
    expect(cities.lookup(at('198.51.100.1'))).toBeNull();
    expect(cities.lookup(at('2001:db9::9'))).toBeNull();
  });

  test('a more specific block wins', async () => {
    const records = [
      ['203.0.113.0/24', nested],
      ['203.0.113.128/25', { ...nested, country: { iso_code: 'BE' } }],
    ] as const;
    const bytes = writeMmdb({ type: 'City', ipVersion: 4, built: BUILT, records });
    const cities = await openCityDatabase(await file('nested.mmdb', bytes));
    expect(cities.lookup(at('203.0.113.1'))).toMatchObject({ country: 'FR' });
    expect(cities.lookup(at('203.0.113.129'))).toMatchObject({ country: 'BE' });
  });

  const asnRecord = { autonomous_system_number: 64496, autonomous_system_organization: 'Example' };
  const of = (record: Parameters<typeof writeMmdb>[0]['records'][number][1], type = 'x') =>
    writeMmdb({ type, ipVersion: 4, built: BUILT, records: [['203.0.113.0/24', record]] });

  test.each([
    ['no database', Buffer.from('city,country\n'), 'is no MaxMind DB file'],
    ['an empty file', Buffer.alloc(0), 'is no MaxMind DB file'],
    ['a download not unpacked', Buffer.from([0x1f, 0x8b, 8, 0]), 'is compressed'],
    ['a copy cut short', of(nested).subarray(0, -40), 'is no MaxMind DB file'],
    ['the end of a file', of(nested).subarray(100), 'is no MaxMind DB file'],
    [
      'an empty database',
      writeMmdb({ type: 'City', ipVersion: 4, built: BUILT, records: [['203.0.113.0/24', {}]] }),
      'City',
    ],
    ['an ASN database', of(asnRecord, 'GeoLite2-ASN'), 'GeoLite2-ASN'],
    ['a country database', of({ country: { iso_code: 'FR' } }, 'GeoLite2-Country'), 'GeoLite2-Country'],
  ])('%s is refused', async (_, bytes, problem) => {
    const broken = await file('broken.mmdb', bytes);
    const opening = openCityDatabase(broken);
    await expect(opening).rejects.toMatchObject({ code: 'ERR_GEO_FILE' });
    await expect(opening).rejects.toThrow(`enrich.city[0]: ${broken.path}: `);
    await expect(opening).rejects.toThrow(problem);
    await expect(opening).rejects.toThrow('give a city database');
  });

  /** The file with the `nth` record, instead of being a map, of a type that does not exist. */
  const damaged = (nth: number) => {
    const blocks = Array.from({ length: 400 }, (_, i) => [`${i >> 8}.${i & 0xff}.0.0/16`, nested] as const);
    const bytes = writeMmdb({ type: 'City', ipVersion: 4, built: BUILT, records: blocks });
    let at = -1;
    for (let i = 0; i <= nth; i++) at = bytes.indexOf('\u0044city', at + 1);
    bytes.set([0x00, 0xf0], at - 1);
    return bytes;
  };

  test('a damaged record is unknown, and the others are not', async () => {
    const cities = await openCityDatabase(await file('damaged.mmdb', damaged(399)));
    expect(cities.lookup(at('1.143.0.1'))).toBeNull();
    expect(cities.lookup(at('1.142.0.1'))).toMatchObject({ city: 'Lyon' });
  });

  test('a file that is damaged from the beginning is refused', async () => {
    await expect(openCityDatabase(await file('damaged.mmdb', damaged(0)))).rejects.toThrow('is damaged');
  });

  test('ASN databases of MaxMind', async () => {
    const records = [
      ['203.0.113.0/24', asnRecord],
      ['198.51.100.0/24', { autonomous_system_number: 0 }],
    ] as const;
    const bytes = writeMmdb({ type: 'GeoLite2-ASN', ipVersion: 6, built: BUILT, records });
    const systems = await openAsnDatabase(await file('GeoLite2-ASN.mmdb', bytes));
    expect(systems.build).toBe('GeoLite2-ASN@2026-06-05');
    expect(systems.lookup(at('203.0.113.1'))).toEqual({ asn: 64496, as_org: 'Example' });
    expect(systems.lookup(at('198.51.100.1'))).toBeNull();
    await expect(openAsnDatabase(await file('city.mmdb', of(nested, 'GeoLite2-City')))).rejects.toThrow(
      'GeoLite2-City',
    );
  });
});
