import type { Network } from '../../src/detection/client-context.ts';

/** Networks of a subject that are remembered: the earliest ones, which no order of arrival changes. */
const MAX_NETWORKS = 24;

/** What a subject's networks are remembered by: `AS` numbers, else countries. */
export function nameOfNetwork({ asn, country }: Pick<Network, 'asn' | 'country'>): string {
  return asn === undefined ? (country ?? '-') : `AS${asn}`;
}

/** The networks with the first time of one of them taken in. */
export function withNetwork(
  networks: Record<string, number>,
  name: string,
  time: number,
): Record<string, number> {
  if ((networks[name] ?? Infinity) <= time) return networks;
  const all = Object.entries({ ...networks, [name]: time });
  return Object.fromEntries(
    all.sort(([a, since], [b, until]) => since - until || (a < b ? -1 : 1)).slice(0, MAX_NETWORKS),
  );
}
