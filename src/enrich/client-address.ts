import { LRUCache } from 'lru-cache';
import { RecallError } from '../errors.ts';
import { parseAddress, parseNetwork, type Address } from './address.ts';
import { createNetworkMap } from './network-map.ts';

/** Addresses whose reading is remembered. An entry takes about 300 bytes. */
const REMEMBERED = 65_536;

/** No address is written longer than this, so that nothing longer is remembered. */
const LONGEST_TEXT = 96;

interface Hop {
  readonly address: Address;
  readonly trusted: boolean;
}

/** Which address a request came from. */
export interface ClientAddress {
  /** The address that counts of a request, or null where the gateway logged something that is no address. */
  of(peer: string, forwardedFor: readonly string[] | undefined): Address | null;
}

/**
 * Finds the client of a request. The peer of the connection is the only address that nobody can forge; where it is
 * a trusted proxy, the X-Forwarded-For entry that this proxy wrote, the rightmost, is believed, and so on to the left
 * as long as the hops are trusted. An entry that is no address ends the walk at the last good hop: what stands further
 * left was not written by a proxy that can be relied on.
 *
 * @param trustedProxies CIDR blocks
 * @throws RecallError ERR_CONFIG_INVALID where a block is none
 */
export function createClientAddress(trustedProxies: readonly string[]): ClientAddress {
  const proxies = createNetworkMap(
    trustedProxies.map((text, index) => {
      const network = parseNetwork(text);
      if (network !== null) return [network, index];
      throw new RecallError(
        'ERR_CONFIG_INVALID',
        `enrich.trusted_proxies[${index}]: not a network (got ${JSON.stringify(text)}, expected CIDR such as 10.0.0.0/8)`,
      );
    }),
  );
  const hops = new LRUCache<string, { hop: Hop | null }>({ max: REMEMBERED });

  function read(text: string): Hop | null {
    if (text.length > LONGEST_TEXT) return null;
    const known = hops.get(text);
    if (known !== undefined) return known.hop;
    const address = parseAddress(text);
    const hop = address === null ? null : { address, trusted: proxies.firstMatch(address) !== undefined };
    hops.set(text, { hop });
    return hop;
  }

  return {
    of(peer, forwardedFor = []) {
      let hop = read(peer);
      if (hop === null) return null;
      for (let i = forwardedFor.length - 1; i >= 0 && hop.trusted; i--) {
        const next = read(forwardedFor[i] ?? '');
        if (next === null) break;
        hop = next;
      }
      return hop.address;
    },
  };
}
