import type { EnrichConfig } from '../../schemas/config.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Address } from './address.ts';
import { openAsnDatabase } from './asn-database.ts';
import type { AutonomousSystem } from './autonomous-system.ts';
import { openCityDatabase } from './city-database.ts';
import type { Place } from './city-record.ts';
import { defaultAsnFiles, defaultCityFiles } from './default-files.ts';
import { asGeoFileError, type GeoFile, type GeoFileKind } from './geo-file.ts';
import { watchFile, type WatchedFile } from './watched-file.ts';

/** One database file as the look-ups see it, whatever it holds. */
interface Database<T> {
  readonly build: string;
  covers(family: Address['family']): boolean;
  lookup(address: Address): T | null;
}

/** An answer and the build of the file that gave it. */
export interface Answer<T> {
  readonly value: T;
  readonly build: string;
}

/** The files of one kind, asked as one. */
export interface DatabaseSet<T> {
  /** The answer of the first file that knows the address; files of the other family are not asked. */
  lookup(address: Address): Answer<T> | null;
  builds(): string[];
  close(): void;
}

/** City and ASN databases in use. */
export interface Databases {
  readonly cities: DatabaseSet<Place>;
  readonly systems: DatabaseSet<AutonomousSystem>;
}

/**
 * Opens the configured databases, or those that ship with the product, and follows their files.
 *
 * @param changed called whenever the content of a file was replaced
 * @throws RecallError ERR_GEO_FILE where a file is missing, unreadable or of the wrong kind
 */
export async function openDatabases(
  config: EnrichConfig,
  log: Logger,
  changed: () => void,
): Promise<Databases> {
  const watch = { interval: config.reload_interval, swapped: changed, log };
  const cityFiles = config.city === undefined ? defaultCityFiles() : named(config.city, 'city');
  const asnFiles = config.asn === undefined ? defaultAsnFiles() : named(config.asn, 'asn');
  const cities = await openAll(cityFiles, 'city', openCityDatabase, watch);
  try {
    return { cities, systems: await openAll(asnFiles, 'asn', openAsnDatabase, watch) };
  } catch (error) {
    cities.close();
    throw error;
  }
}

function named(paths: readonly string[], option: GeoFileKind): GeoFile[] {
  return paths.map((path, i) => ({ path, field: `enrich.${option}[${i}]` }));
}

async function openAll<T>(
  files: readonly GeoFile[],
  kind: GeoFileKind,
  open: (file: GeoFile) => Promise<Database<T>>,
  watch: { interval: number; swapped: () => void; log: Logger },
): Promise<DatabaseSet<T>> {
  const watched: WatchedFile<Database<T>>[] = [];
  const close = () => watched.forEach((file) => file.close());
  for (const file of files) {
    const load = () =>
      open(file).catch((error: unknown) => {
        throw asGeoFileError(error, file, kind);
      });
    try {
      watched.push(await watchFile({ ...watch, path: file.path, load }));
    } catch (error) {
      close();
      throw error;
    }
  }
  for (const family of [4, 6] as const) {
    if (files.length > 0 && !watched.some((file) => file.current().covers(family))) {
      watch.log.warn(`enrich.${kind} has no database for IPv${family}: such addresses stay unknown`);
    }
  }
  return {
    lookup(address) {
      for (const file of watched) {
        const database = file.current();
        const value = database.covers(address.family) ? database.lookup(address) : null;
        if (value !== null) return { value, build: database.build };
      }
      return null;
    },
    builds: () => watched.map((file) => file.current().build),
    close,
  };
}
