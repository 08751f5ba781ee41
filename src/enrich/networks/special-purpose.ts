import type { Address } from '../address.ts';
import { networkSet } from '../network-map.ts';

/**
 * Blocks that are never seen on the Internet and mean a host of one's own, from the IANA special-purpose address
 * registries (RFC 6890). Documentation and reserved blocks are not among them: they are nobody's.
 */
const PRIVATE = networkSet([
  '10.0.0.0/8', // RFC 1918
  '172.16.0.0/12', // RFC 1918
  '192.168.0.0/16', // RFC 1918
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, RFC 3927
  '100.64.0.0/10', // shared address space of carriers, RFC 6598
  '::1/128', // loopback
  'fc00::/7', // unique local, RFC 4193
  'fe80::/10', // link-local, RFC 4291
  'fec0::/10', // site-local, deprecated by RFC 3879
  '64:ff9b:1::/48', // NAT64 of one's own, RFC 8215
]);

/** Whether the address is one of a private network. */
export function isPrivate(address: Address): boolean {
  return PRIVATE.firstMatch(address) !== undefined;
}
