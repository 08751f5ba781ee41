import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { Reader, type Response } from 'maxmind';
import { geoFileError, type GeoFile, type GeoFileKind } from './geo-file.ts';
import type { Address } from './address.ts';

/** Zero bytes between search tree and data of a MaxMind DB file (MaxMind DB specification 2.0). */
const SEPARATOR = 16;

/** Records looked at to tell what kind of database a file is. */
const PROBED_RECORDS = 256;
/** Look-ups spent on finding them; each steps over a whole block. */
const PROBED_BLOCKS = 16_384;

/** An open MaxMind DB file of any schema. */
export interface Mmdb {
  /** Name and build date, such as `GeoLite2-City@2026-06-05`. */
  readonly build: string;
  /** Whether it can hold addresses of the family. An IPv6 tree may hold IPv4 too (under ::/96). */
  covers(family: Address['family']): boolean;
  /** The record of an address as the file has it; null where there is none, or where the file is damaged there. */
  get(address: Address): unknown;
}

/**
 * Opens a MaxMind DB file, whole in memory.
 *
 * @param fits whether a record is of the wanted kind; a file none of whose first records fits is refused
 * @throws RecallError ERR_GEO_FILE where the file is no MaxMind DB or one of another kind; what reading it throws
 */
export async function openMmdb(
  file: GeoFile,
  kind: GeoFileKind,
  fits: (record: unknown) => boolean,
): Promise<Mmdb> {
  const bytes = await readFile(file.path);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b)
    throw geoFileError(file, kind, 'is compressed: unpack it first');
  const reader = createReader(bytes, (cause) =>
    geoFileError(file, kind, 'is no MaxMind DB file, or only a part of one', cause),
  );
  const { ipVersion, buildEpoch } = reader.metadata;

  const sample = firstRecords(reader, (cause) => geoFileError(file, kind, 'is damaged', cause));
  if (!sample.some(fits)) {
    const type: unknown = reader.metadata.databaseType;
    throw geoFileError(file, kind, `holds other records than these (its type is ${JSON.stringify(type)})`);
  }
  const name = basename(file.path).replace(/\.mmdb$/i, '');
  return {
    build: `${name}@${buildEpoch.toISOString().slice(0, 10)}`,
    // An IPv6 address looked up in an IPv4 tree gets the record of its first 32 bits.
    covers: (family) => family === 4 || ipVersion === 6,
    get(address) {
      try {
        return reader.get(address.text);
      } catch {
        return null; // One damaged record must not cost an event its other enrichment.
      }
    },
  };
}

/** Opens the bytes. The reader itself checks next to nothing and answers with garbage where they are no such file. */
function createReader(bytes: Buffer, refused: (cause?: unknown) => Error): Reader<Response> {
  let reader;
  try {
    // Without a cache of its own: keeping one costs more than decoding, and results are cached by address elsewhere.
    reader = new Reader<Response>(bytes);
  } catch (error) {
    throw refused(error);
  }
  const { ipVersion, buildEpoch, nodeCount, searchTreeSize } = reader.metadata;
  const separator = bytes.subarray(searchTreeSize, searchTreeSize + SEPARATOR);
  const whole = nodeCount > 0 && separator.length === SEPARATOR && separator.every((byte) => byte === 0);
  if (!whole || (ipVersion !== 4 && ipVersion !== 6) || !(buildEpoch.getTime() >= 0)) throw refused();
  return reader;
}

/** The first records of a tree, in address order: each look-up says how large the block it answered for is. */
function firstRecords(reader: Reader<Response>, damaged: (cause: unknown) => Error): unknown[] {
  const bits = reader.metadata.ipVersion === 4 ? 32 : 128;
  const end = 1n << BigInt(bits);
  const records: unknown[] = [];
  let next = 0n;
  try {
    for (let i = 0; i < PROBED_BLOCKS && next < end && records.length < PROBED_RECORDS; i++) {
      const [record, prefix] = reader.getWithPrefixLength(bits === 32 ? ipv4Text(next) : ipv6Text(next));
      if (record !== null) records.push(record);
      next += 1n << BigInt(bits - prefix);
    }
  } catch (error) {
    throw damaged(error);
  }
  return records;
}

function ipv4Text(address: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 0xffn).join('.');
}

function ipv6Text(address: bigint): string {
  const hex = address.toString(16).padStart(32, '0');
  return (hex.match(/.{4}/g) ?? []).join(':');
}
