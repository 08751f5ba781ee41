import type { Address } from './address.ts';
import { readPlace, type Place } from './city-record.ts';
import type { GeoFile } from './geo-file.ts';
import { openMmdb } from './mmdb.ts';

/** One loaded city database file. */
export interface CityDatabase {
  readonly build: string;
  covers(family: Address['family']): boolean;
  /** Where the address is, or null where the file does not know. */
  lookup(address: Address): Place | null;
}

/**
 * Opens a city database of either schema (see {@link readPlace}).
 *
 * @throws RecallError ERR_GEO_FILE where the file is no city database; what reading it throws
 */
export async function openCityDatabase(file: GeoFile): Promise<CityDatabase> {
  // A country database has records that read as a place, but none with coordinates: nothing could ever travel.
  const mmdb = await openMmdb(file, 'city', (record) => readPlace(record)?.latitude !== undefined);
  return {
    build: mmdb.build,
    covers: (family) => mmdb.covers(family),
    lookup: (address) => readPlace(mmdb.get(address)),
  };
}
