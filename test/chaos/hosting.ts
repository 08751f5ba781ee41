import { readFile } from 'node:fs/promises';
import { defaultAsnFiles } from '../../src/enrich/default-files.ts';
import { HOSTING_ASNS } from '../../src/enrich/networks/hosting.ts';

/**
 * An address in each known network of servers, in the order of their numbers: where thieves call from. Many networks,
 * since what a quarter of all subjects of a client come through is not suspicious of any one of them.
 */
export async function hostingAddresses(): Promise<string[]> {
  const wanted = new Set<number>(Object.values(HOSTING_ASNS).flat());
  const addresses = new Map<number, string>();
  const [file] = defaultAsnFiles();
  for (const line of (await readFile(file?.path ?? '', 'latin1')).split('\n')) {
    const [first = '', , number] = line.split(',', 3);
    const asn = Number(number);
    if (wanted.has(asn) && !addresses.has(asn)) addresses.set(asn, first.replace(/\d+$/, '77'));
  }
  return [...addresses].sort(([a], [b]) => a - b).map(([, address]) => address);
}
