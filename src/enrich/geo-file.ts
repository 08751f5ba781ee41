import { RecallError, isRecallError, messageOf } from '../errors.ts';

/** A database file and the configuration field that names it. */
export interface GeoFile {
  readonly path: string;
  /** Such as `enrich.city[0]`; messages name it. */
  readonly field: string;
  /** Build of a file that does not say its own, such as a package version. */
  readonly build?: string | undefined;
}

/** What to do about a file that is of no use, by what it should have been. */
const REMEDY = {
  city: 'give a city database (.mmdb: GeoLite2-City, GeoIP2-City or DB-IP City), or leave enrich.city out for the built-in one',
  asn: 'give an ASN database (.mmdb: GeoLite2-ASN; .csv: ip-location-db with dotted addresses), or leave enrich.asn out for the built-in one',
} as const;

export type GeoFileKind = keyof typeof REMEDY;

/** The error of a database file that cannot be used: names file and field, and says what to do. */
export function geoFileError(
  file: GeoFile,
  kind: GeoFileKind,
  problem: string,
  cause?: unknown,
): RecallError {
  return new RecallError('ERR_GEO_FILE', `${file.field}: ${file.path}: ${problem}; ${REMEDY[kind]}`, {
    cause,
  });
}

/** Wraps whatever reading a file threw, unless it says what is needed already. */
export function asGeoFileError(error: unknown, file: GeoFile, kind: GeoFileKind): RecallError {
  if (isRecallError(error)) return error;
  return geoFileError(file, kind, readProblem(error), error);
}

function readProblem(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
      return 'no such file';
    case 'EACCES':
      return 'no permission to read it';
    case 'EISDIR':
      return 'is a directory';
    default:
      return `cannot be read (${messageOf(error)})`;
  }
}
