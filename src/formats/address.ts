import ipaddr from 'ipaddr.js';

const V4_WITH_PORT = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/;
const BRACKETED = /^\[([^[\]]+)\](?::\d{1,5})?$/;

/**
 * The canonical text of an IP address as gateways log it: a port and an IPv6 zone are cut off, IPv4-mapped IPv6
 * is unmapped, IPv6 is written as RFC 5952 says. Null for anything else; in particular the short, octal and
 * hexadecimal forms of inet_aton are not taken for IPv4.
 */
export function canonicalAddress(text: string): string | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return text;
  const trimmed = text.trim();
  const bare = V4_WITH_PORT.exec(trimmed)?.[1] ?? BRACKETED.exec(trimmed)?.[1] ?? trimmed;
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return bare;
  const unzoned = bare.replace(/%.*$/s, '');
  if (!unzoned.includes(':') || !ipaddr.IPv6.isValid(unzoned)) return null;
  const parsed = ipaddr.IPv6.parse(unzoned);
  return parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : parsed.toRFC5952String();
}

/** Hops of a chain that are looked at: no honest chain is longer. */
const MAX_HOPS = 32;

/**
 * The believable end of an X-Forwarded-For chain, canonical, client first. Everything up to and including the
 * last hop that is no address is cut: a caller writes what he likes there, which must neither be believed nor
 * make the event a dead letter, or a forged header would hide a request from detection.
 */
export function forwardedChain(hops: readonly string[]): string[] {
  const chain: string[] = [];
  for (const hop of hops.slice(-MAX_HOPS).reverse()) {
    const address = canonicalAddress(hop);
    if (address === null) break;
    chain.unshift(address);
  }
  return chain;
}
