import { openAsnCsv } from './asn-csv.ts';
import type { AsnDatabase, AutonomousSystem } from './autonomous-system.ts';
import type { GeoFile } from './geo-file.ts';
import { openMmdb } from './mmdb.ts';
import { field, number, text } from './record.ts';

/**
 * Opens an ASN database: a MaxMind DB file (GeoLite2-ASN, GeoIP2-ISP), or a CSV file as ip-location-db publishes it.
 *
 * @throws RecallError ERR_GEO_FILE where the file is no ASN database; what reading it throws
 */
export async function openAsnDatabase(file: GeoFile): Promise<AsnDatabase> {
  if (file.path.toLowerCase().endsWith('.csv')) return openAsnCsv(file);
  const mmdb = await openMmdb(file, 'asn', (record) => readAutonomousSystem(record) !== null);
  return {
    build: mmdb.build,
    covers: (family) => mmdb.covers(family),
    lookup: (address) => readAutonomousSystem(mmdb.get(address)),
  };
}

function readAutonomousSystem(record: unknown): AutonomousSystem | null {
  const asn = number(field(record, 'autonomous_system_number'));
  const as_org = text(field(record, 'autonomous_system_organization'));
  if (asn === undefined || asn <= 0 || asn > 0xffff_ffff) return null; // AS 0 is nobody (RFC 7607).
  return { asn, ...(as_org !== undefined && { as_org }) };
}
