import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { readIPv4, readIPv6 } from './address-bytes.ts';
import type { AsnDatabase, AutonomousSystem } from './autonomous-system.ts';
import { geoFileError, type GeoFile } from './geo-file.ts';
import { createRangeTable } from './range-table.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const COMMA = 0x2c;

/**
 * Reads an ASN file as ip-location-db publishes it: first and last address, AS number, organisation; no header,
 * ranges ascending, organisations quoted as in RFC 4180. One file may hold both families.
 *
 * The bytes are read by hand and every range becomes a few numbers: half a million lines take a fraction of a
 * second and 15 MB, where a row object each would take twenty times as much.
 *
 * @throws RecallError ERR_GEO_FILE naming the first bad line; what reading the file throws
 */
export async function openAsnCsv(file: GeoFile): Promise<AsnDatabase> {
  const bytes = await readFile(file.path);
  const name = basename(file.path).replace(/\.csv$/i, '');
  const build = file.build ?? (await stat(file.path)).mtime.toISOString().slice(0, 10);
  const { ipv4, ipv6, systems } = parse(bytes, (line, problem) =>
    geoFileError(file, 'asn', `line ${line}: ${problem}`),
  );
  if (systems.length === 0) throw geoFileError(file, 'asn', 'is empty');
  return {
    build: `${name}@${build}`,
    covers: (family) => (family === 4 ? ipv4 : ipv6).size > 0,
    lookup(address) {
      const index = (address.family === 4 ? ipv4 : ipv6).find(address.words);
      return systems[index] ?? null;
    },
  };
}

function parse(bytes: Buffer, problem: (line: number, text: string) => Error) {
  const ipv4 = createRangeTable(1);
  const ipv6 = createRangeTable(4);
  const systems: AutonomousSystem[] = [];
  const indexes = new Map<number, number>();
  const [first, last] = [new Uint32Array(4), new Uint32Array(4)];

  for (let next = 0, line = 1; next < bytes.length; line++) {
    const at = next;
    const feed = bytes.indexOf(LINE_FEED, at);
    next = feed === -1 ? bytes.length : feed + 1;
    let end = feed === -1 ? bytes.length : feed;
    if (end > at && bytes[end - 1] === CARRIAGE_RETURN) end -= 1;
    if (end === at) continue;

    const afterFirst = bytes.indexOf(COMMA, at);
    const afterLast = bytes.indexOf(COMMA, afterFirst + 1);
    const afterNumber = bytes.indexOf(COMMA, afterLast + 1);
    if (afterFirst === -1 || afterLast === -1 || afterNumber === -1 || afterNumber > end) {
      throw problem(line, 'expected first address, last address, AS number, organisation');
    }
    const narrow = readIPv4(bytes, at, afterFirst, first);
    const read = narrow ? readIPv4 : readIPv6;
    if (!read(bytes, at, afterFirst, first) || !read(bytes, afterFirst + 1, afterLast, last)) {
      throw problem(line, 'no range of addresses (a file with addresses as plain numbers is not read)');
    }
    const digits = bytes.toString('latin1', afterLast + 1, afterNumber);
    const asn = /^\d{1,10}$/.test(digits) ? Number(digits) : -1;
    if (asn < 0 || asn > 0xffff_ffff) throw problem(line, 'no AS number');
    if (asn === 0) continue; // AS 0 is nobody (RFC 7607).

    let index = indexes.get(asn);
    if (index === undefined) {
      index = systems.length;
      indexes.set(asn, index);
      const as_org = unquoted(bytes.toString('utf8', afterNumber + 1, end));
      systems.push({ asn, ...(as_org !== '' && { as_org }) });
    }
    if (!(narrow ? ipv4 : ipv6).add(first, last, index)) {
      throw problem(line, 'the range is empty, or does not start beyond the one before it');
    }
  }
  return { ipv4: ipv4.build(), ipv6: ipv6.build(), systems };
}

/** The text of the last field of a line: RFC 4180 puts it in quotes, and doubles those within, where it has to. */
function unquoted(field: string): string {
  const quoted = field.length >= 2 && field.startsWith('"') && field.endsWith('"');
  return (quoted ? field.slice(1, -1).replaceAll('""', '"') : field).trim();
}
