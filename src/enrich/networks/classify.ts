import type { NetworkClass } from '../../../schemas/access-event.ts';
import type { EnrichConfig } from '../../../schemas/config.ts';
import { RecallError } from '../../errors.ts';
import { parseNetwork, type Address } from '../address.ts';
import type { AutonomousSystem } from '../autonomous-system.ts';
import { createNetworkMap } from '../network-map.ts';
import { ACCESS_NAME } from './access.ts';
import { ANONYMIZER_ASNS, ANONYMIZER_NAME, NOT_ANONYMIZER_ASNS, RELAY_BLOCKS } from './anonymizer.ts';
import { HOSTING_ASNS, HOSTING_NAME, NOT_HOSTING_ASNS } from './hosting.ts';
import { MOBILE_ASNS, MOBILE_NAME, NOT_MOBILE_ASNS } from './mobile.ts';
import { SATELLITE_ASNS } from './satellite.ts';
import { isPrivate } from './special-purpose.ts';

/** Tells how an address reaches the Internet. */
export type NetworkClassifier = (address: Address, system: AutonomousSystem | null) => NetworkClass;

/**
 * Builds the classifier: what is configured comes first and its first match wins, then private addresses, then the
 * built-in lists. Of an AS that no list and no name tells apart, people are assumed to sit behind it, at home, in an
 * office or on a campus: `residential`.
 *
 * @throws RecallError ERR_CONFIG_INVALID where a configured network is none
 */
export function createNetworkClassifier(networks: EnrichConfig['networks']): NetworkClassifier {
  const blocks = createNetworkMap(
    networks.flatMap(({ cidrs }, entry) =>
      cidrs.map((text, i) => {
        const network = parseNetwork(text);
        if (network !== null) return [network, entry] as const;
        throw new RecallError(
          'ERR_CONFIG_INVALID',
          `enrich.networks[${entry}].cidrs[${i}]: not a network (got ${JSON.stringify(text)}, expected CIDR such as 203.0.113.0/24)`,
        );
      }),
    ),
  );
  const numbers = new Map(
    networks.flatMap(({ asns }, entry) => asns.map((asn) => [asn, entry] as const)).reverse(),
  );

  return (address, system) => {
    const byBlock = blocks.firstMatch(address) ?? Infinity;
    const byNumber = (system === null ? undefined : numbers.get(system.asn)) ?? Infinity;
    const configured = networks[Math.min(byBlock, byNumber)]?.class;
    if (configured !== undefined) return configured;
    if (isPrivate(address)) return 'private';
    if (RELAY_BLOCKS.firstMatch(address) !== undefined) return 'anonymizer';
    return system === null ? 'unknown' : classOfSystem(system);
  };
}

/** Whether the AS is a satellite network, whose addresses are placed at its ground stations. */
export function isSatellite(asn: number): boolean {
  return SATELLITE.has(asn);
}

const SATELLITE = numbersOf(SATELLITE_ASNS);

const BY_NUMBER = new Map<number, NetworkClass>([
  ...classed('hosting', numbersOf(HOSTING_ASNS)),
  ...classed('anonymizer', numbersOf(ANONYMIZER_ASNS)),
  ...classed('mobile', numbersOf(MOBILE_ASNS)),
  // Like a phone's, the address stands for a gateway far away, shared by many.
  ...classed('mobile', SATELLITE),
  ...classed('residential', [...NOT_ANONYMIZER_ASNS, ...NOT_HOSTING_ASNS, ...NOT_MOBILE_ASNS]),
]);

function classOfSystem({ asn, as_org = '' }: AutonomousSystem): NetworkClass {
  if (isReserved(asn)) return 'unknown';
  const listed = BY_NUMBER.get(asn);
  if (listed !== undefined) return listed;
  if (ANONYMIZER_NAME.test(as_org)) return 'anonymizer';
  if (ACCESS_NAME.test(as_org)) return 'residential';
  if (HOSTING_NAME.test(as_org)) return 'hosting';
  return MOBILE_NAME.test(as_org) ? 'mobile' : 'residential';
}

/** Numbers that belong to nobody: AS_TRANS, documentation, private use (RFC 6793, RFC 5398, RFC 6996, RFC 7300). */
function isReserved(asn: number): boolean {
  return asn === 0 || asn === 23_456 || (asn >= 64_496 && asn <= 65_551) || asn >= 4_200_000_000;
}

function numbersOf(list: Readonly<Record<string, readonly number[]>>): Set<number> {
  return new Set(Object.values(list).flat());
}

function classed(to: NetworkClass, asns: Iterable<number>): (readonly [number, NetworkClass])[] {
  return Array.from(asns, (asn) => [asn, to] as const);
}
