import { mkdtemp, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { config, type ConfigInput } from '../../../schemas/config.ts';
import { createEnricher, type Enricher } from '../../../src/enrich/enricher.ts';
import { writeMmdb, type MmdbValue } from '../../support/mmdb.ts';

const enrichConfig = (input: ConfigInput['enrich']) => config.parse({ enrich: input }).enrich;

/** Replaces a file as downloaders do: at once. */
async function replace(path: string, bytes: Buffer): Promise<void> {
  await writeFile(`${path}.new`, bytes);
  await rename(`${path}.new`, path);
}

describe('with files of one’s own', () => {
  let folder: string;
  let warnings: string[];
  let enricher: Enricher | undefined;
  const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'enrich-'));
    warnings = [];
  });
  afterEach(async () => {
    enricher?.close();
    enricher = undefined;
    await rm(folder, { recursive: true });
  });

  const city = (name: string, built = '2026-01-01'): Buffer =>
    database('GeoLite2-City', built, {
      city: { names: { en: name } },
      country: { iso_code: 'FR' },
      location: { latitude: 45.75, longitude: 4.85, accuracy_radius: 20 },
    });
  const system = (asn: number, as_org: string): Buffer =>
    database('GeoLite2-ASN', '2026-02-02', {
      autonomous_system_number: asn,
      autonomous_system_organization: as_org,
    });
  const database = (type: string, built: string, record: MmdbValue): Buffer =>
    writeMmdb({
      type,
      ipVersion: 6,
      built: new Date(built),
      records: [
        ['203.0.113.0/24', record],
        ['2001:db8::/32', record],
        ['10.0.0.0/8', record],
      ],
    });

  async function start(
    files: { city?: Buffer; asn?: Buffer | string } = {},
    input: ConfigInput['enrich'] = {},
  ) {
    const paths = {
      city: join(folder, 'GeoLite2-City.mmdb'),
      asn: join(folder, typeof files.asn === 'string' ? 'asn.csv' : 'GeoLite2-ASN.mmdb'),
    };
    await writeFile(paths.city, files.city ?? city('Lyon'));
    await writeFile(paths.asn, files.asn ?? system(3215, 'Orange S.A.'));
    const started = await createEnricher(
      enrichConfig({ city: [paths.city], asn: [paths.asn], reload_interval: '20ms', ...input }),
      log,
    );
    enricher = started;
    return {
      ...paths,
      enrich: (client_ip = '203.0.113.7') =>
        started.enrich({ kind: 'access', event_id: 'event-1', time: 0, client_ip }).enrichment,
      started,
    };
  }

  test('MaxMind’s schemas', async () => {
    const { enrich, started } = await start();
    expect(enrich()).toEqual({
      ip: '203.0.113.7',
      country: 'FR',
      city: 'Lyon',
      latitude: 45.75,
      longitude: 4.85,
      accuracy_km: 20,
      asn: 3215,
      as_org: 'Orange S.A.',
      network: 'residential',
      geo_build: 'GeoLite2-City@2026-01-01',
      asn_build: 'GeoLite2-ASN@2026-02-02',
    });
    expect(started.builds()).toEqual(['GeoLite2-City@2026-01-01', 'GeoLite2-ASN@2026-02-02']);
    expect(warnings).toEqual([]);
  });

  test('a satellite network is in its country, not in the city of the ground station', async () => {
    const { enrich } = await start({ asn: system(14593, 'Space Exploration Technologies Corporation') });
    expect(enrich()).toEqual({
      ip: '203.0.113.7',
      country: 'FR',
      asn: 14593,
      as_org: 'Space Exploration Technologies Corporation',
      network: 'mobile',
      geo_build: 'GeoLite2-City@2026-01-01',
      asn_build: 'GeoLite2-ASN@2026-02-02',
    });
  });

  test('a private address is nowhere, even where a database has a record of it', async () => {
    const { enrich } = await start();
    expect(enrich('10.1.2.3')).not.toHaveProperty('country');
    expect(enrich('10.1.2.3')).toMatchObject({ network: 'private' });
  });

  test('a family without a database is warned of', async () => {
    await start({ asn: '203.0.113.0,203.0.113.255,3215,Orange S.A.\n' });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('enrich.asn has no database for IPv6');
  });

  test('a file that is replaced is taken up, also the answers remembered from the old one', async () => {
    const { enrich, city: path, started } = await start();
    expect(enrich()).toMatchObject({ city: 'Lyon' });
    await replace(path, city('Grenoble', '2026-03-03'));
    await vi.waitFor(() => {
      expect(enrich()).toMatchObject({ city: 'Grenoble', geo_build: 'GeoLite2-City@2026-03-03', asn: 3215 });
    });
    expect(started.builds()[0]).toBe('GeoLite2-City@2026-03-03');
    expect(warnings).toEqual([]);
  });

  test('an ASN file in CSV that is replaced is taken up', async () => {
    const row = (asn: number, name: string) =>
      `203.0.113.0,203.0.113.255,${asn},${name}\n2001:db8::,2001:db8::ffff,${asn},${name}\n`;
    const { enrich, asn: path } = await start({ asn: row(3215, 'Orange S.A.') });
    expect(enrich()).toMatchObject({ asn: 3215, network: 'residential' });
    await writeFile(path, row(16509, 'Amazon.com, Inc.'));
    await vi.waitFor(() => {
      expect(enrich()).toMatchObject({ asn: 16509, network: 'hosting' });
    });
  });

  test('while files come and go, every event is placed by one build or the other', async () => {
    const { enrich, city: path } = await start();
    const seen = new Set<string | undefined>();
    for (const name of ['Grenoble', 'Valence', 'Annecy']) {
      await replace(path, city(name));
      await vi.waitFor(
        () => {
          const found = enrich().city;
          seen.add(found);
          expect(found).toBe(name);
        },
        { interval: 1 },
      );
    }
    expect([...seen]).toEqual(['Lyon', 'Grenoble', 'Valence', 'Annecy']);
  });

  test('a broken new file is warned of once, with its path, and the old one stays until a good one comes', async () => {
    const { enrich, city: path } = await start();
    await replace(path, city('Grenoble').subarray(0, 90));
    await vi.waitFor(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toContain(path);
    expect(enrich()).toMatchObject({ city: 'Lyon' });

    await unlink(path);
    await vi.waitFor(() => expect(warnings).toHaveLength(2));
    expect(warnings[1]).toContain('no such file');
    expect(enrich('2001:db8::7')).toMatchObject({ city: 'Lyon' });

    await replace(path, city('Grenoble'));
    await vi.waitFor(() => {
      expect(enrich()).toMatchObject({ city: 'Grenoble' });
    });
    expect(warnings).toHaveLength(2);
  });

  test.each([
    ['a missing city file', 'city', 'nowhere.mmdb', 'no such file'],
    ['a missing ASN file', 'asn', 'nowhere.csv', 'no such file'],
    ['a folder', 'city', '.', 'is a directory'],
    ['an ASN file that is none', 'asn', 'broken.csv', 'line 1'],
    ['a city file that is none', 'city', 'broken.csv', 'is no MaxMind DB file'],
  ] as const)('%s stops the start with path, field and what to do', async (_, option, name, problem) => {
    const files = { city: join(folder, 'city.mmdb'), asn: join(folder, 'asn.mmdb') };
    await writeFile(files.city, city('Lyon'));
    await writeFile(files.asn, system(3215, 'Orange S.A.'));
    await writeFile(join(folder, 'broken.csv'), 'not a database\n');
    const path = join(folder, name);
    const input = { city: [files.city], asn: [files.asn], [option]: [files[option], path] };
    const starting = createEnricher(enrichConfig(input), log);
    await expect(starting).rejects.toMatchObject({ code: 'ERR_GEO_FILE' });
    await expect(starting).rejects.toThrow(`enrich.${option}[1]: ${path}: `);
    await expect(starting).rejects.toThrow(problem);
    await expect(starting).rejects.toThrow(/give an? (?:city|ASN) database/);
  });
});
