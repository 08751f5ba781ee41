import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** One IP address, in the one form that it is compared, looked up and stored in. */
export interface Address {
  readonly family: 4 | 6;
  /** Canonical text: dotted decimal, or RFC 5952. */
  readonly text: string;
  /** The address as unsigned 32-bit words, most significant first: one for IPv4, four for IPv6. */
  readonly words: readonly number[];
}

/** A block of addresses. */
export interface Network {
  readonly base: Address;
  /** Prefix length in bits. */
  readonly prefix: number;
}

/**
 * Reads an address as logs write it: plain, in brackets, with a port, with an IPv6 zone. An IPv6 address that
 * stands for an IPv4 host becomes that IPv4 address: mapped (RFC 4291 section 2.5.5.2), NAT64 (RFC 6052),
 * 6to4 (RFC 3056) and Teredo (RFC 4380). The databases know nothing of these forms, or answer with nonsense.
 *
 * @returns null where the text is no address. Octal, hexadecimal and shortened IPv4 are none: RFC 6943 section 3.1.1.
 */
export function parseAddress(text: string): Address | null {
  const bare = withoutPort(text.trim());
  const version = isIP(bare);
  if (version === 4) return fromIPv4(ipaddr.IPv4.parse(bare));
  if (version !== 6) return null;
  const zone = bare.indexOf('%');
  const address = fromIPv6(ipaddr.IPv6.parse(zone === -1 ? bare : bare.slice(0, zone)));
  const host = embeddedIPv4(address.words);
  return host === null ? address : fromIPv4(host);
}

/**
 * Reads a CIDR block, or a single address as a block of one. A block of IPv4-mapped addresses becomes the IPv4 block.
 *
 * @returns null where the text is neither.
 */
export function parseNetwork(text: string): Network | null {
  const [host = '', length, ...rest] = text.trim().split('/');
  const version = isIP(host);
  if (version === 0 || host.includes('%') || rest.length > 0) return null;
  const bits = version === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (!(prefix <= bits)) return null;
  if (version === 4) return { base: fromIPv4(ipaddr.IPv4.parse(host)), prefix };
  const address = ipaddr.IPv6.parse(host);
  if (address.isIPv4MappedAddress() && prefix >= 96) {
    return { base: fromIPv4(address.toIPv4Address()), prefix: prefix - 96 };
  }
  return { base: fromIPv6(address), prefix };
}

/** `203.0.113.7:4711`, `[2001:db8::1]` and `[2001:db8::1]:443` without what is not address. */
function withoutPort(text: string): string {
  if (text.startsWith('[')) return /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? '';
  const colon = text.indexOf(':');
  const onlyColon = colon !== -1 && text.indexOf(':', colon + 1) === -1;
  return onlyColon && /^\d{1,5}$/.test(text.slice(colon + 1)) ? text.slice(0, colon) : text;
}

/**
 * The IPv4 host behind an IPv6 address. Apart from the mapped form, which the socket layer makes, such an address
 * is the sender's own claim, so a private IPv4 address in it is not believed (RFC 6052 section 3.1, RFC 3964).
 */
function embeddedIPv4(words: readonly number[]): ipaddr.IPv4 | null {
  const [first = 0, second = 0, third = 0, last = 0] = words;
  if (first === 0 && second === 0 && third === 0xffff) return ipv4(last);
  const claimed =
    first === 0x0064ff9b && second === 0 && third === 0
      ? last // NAT64
      : first >>> 16 === 0x2002
        ? (first << 16) | (second >>> 16) // 6to4
        : first === 0x20010000
          ? ~last // Teredo keeps the client's address with its bits inverted.
          : undefined;
  if (claimed === undefined) return null;
  const host = ipv4(claimed);
  return host.range() === 'unicast' ? host : null;
}

function ipv4(word: number): ipaddr.IPv4 {
  return new ipaddr.IPv4([word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff]);
}

function fromIPv4(address: ipaddr.IPv4): Address {
  const [a = 0, b = 0, c = 0, d = 0] = address.octets;
  return { family: 4, text: address.toString(), words: [((a << 24) | (b << 16) | (c << 8) | d) >>> 0] };
}

function fromIPv6(address: ipaddr.IPv6): Address {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = address.parts;
  const words = [(a << 16) | b, (c << 16) | d, (e << 16) | f, (g << 16) | h].map((word) => word >>> 0);
  return { family: 6, text: address.toRFC5952String(), words };
}
