import { parseNetwork, type Address, type Network } from './address.ts';

/** Answers which of an ordered list of blocks an address lies in. */
export interface NetworkMap {
  /** The index of the first block that holds the address, in the order they were given; undefined where none does. */
  firstMatch(address: Address): number | undefined;
}

/**
 * Builds a map of blocks. A look-up probes one hash map for every prefix length in use, so its cost
 * does not grow with the number of blocks: a published list of a hundred thousand is fine.
 *
 * @param blocks index by block; of two blocks that overlap the one with the lower index wins, not the longer one.
 */
export function createNetworkMap(
  blocks: readonly (readonly [network: Network, index: number])[],
): NetworkMap {
  const families = { 4: new Map<number, Map<string, number>>(), 6: new Map<number, Map<string, number>>() };
  for (const [{ base, prefix }, index] of blocks) {
    const lengths = families[base.family];
    const nets = lengths.get(prefix) ?? new Map<string, number>();
    lengths.set(prefix, nets);
    const key = leadingBits(base.words, prefix);
    nets.set(key, Math.min(index, nets.get(key) ?? index));
  }
  return {
    firstMatch(address) {
      let first: number | undefined;
      for (const [prefix, nets] of families[address.family]) {
        const index = nets.get(leadingBits(address.words, prefix));
        if (index !== undefined && (first === undefined || index < first)) first = index;
      }
      return first;
    },
  };
}

/** The map of a fixed list of blocks, all alike: any match is index 0. For lists in the source, which must be right. */
export function networkSet(blocks: readonly string[]): NetworkMap {
  return createNetworkMap(
    blocks.map((text) => {
      const network = parseNetwork(text);
      if (network === null) throw new TypeError(`not a CIDR block: ${text}`);
      return [network, 0];
    }),
  );
}

/** The first `length` bits of an address, as a map key. */
function leadingBits(words: readonly number[], length: number): string {
  let key = '';
  for (let bit = 0; bit < length; bit += 32) {
    const word = words[bit / 32] ?? 0;
    const kept = Math.min(32, length - bit);
    key += `${((word >>> (32 - kept)) << (32 - kept)) >>> 0}.`;
  }
  return key;
}
