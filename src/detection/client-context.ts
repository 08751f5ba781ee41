import type { EnrichedAccessEvent, NetworkClass } from '../../schemas/access-event.ts';

/** The network a client calls from. */
export interface Network {
  class: NetworkClass;
  ip: string;
  asn?: number | undefined;
  as_org?: string | undefined;
  country?: string | undefined;
  city?: string | undefined;
}

/** What tells two networks apart. */
export type Where = Pick<Network, 'ip' | 'asn' | 'city'>;

/** The program and machine that call, as far as a request shows them. */
export interface Device {
  user_agent?: string | undefined;
  family?: string | undefined;
  os?: string | undefined;
  ja4?: string | undefined;
}

/**
 * How two devices compare. `same`: nothing tells them apart; `unknown`: too little is known of one of them;
 * `companion`: two faces of one device, such as an app and its web view; `version`: one kind of browser with two
 * versions or TLS stacks, which an update explains once but not back and forth; `other`: two devices.
 */
export type DeviceRelation = 'same' | 'unknown' | 'companion' | 'version' | 'other';

const BROWSER =
  /chrom|safari|firefox|edge|opera|vivaldi|brave|samsung internet|webview|browser|duckduckgo|electron|focus|librewolf/i;
const SCRIPT =
  /^(curl|wget|python|go-http|go$|java|axios|node|undici|got|httpx|aiohttp|libwww|ruby|php|guzzle|postman|insomnia|powershell|httpie|scrapy)/i;

/** Whether the gateway let the request through; what it refused teaches nothing. */
export function isAccepted(event: EnrichedAccessEvent): boolean {
  return event.status === undefined || event.status < 400;
}

export function networkOf({ enrichment: where }: EnrichedAccessEvent): Network {
  const { ip, asn, as_org, country, city } = where;
  return { class: where.network, ip, asn, as_org, country, city };
}

/** The beginning of a text; a pair of surrogates that the cut would halve goes as a whole. */
export function clip(text: string | undefined, characters: number): string | undefined {
  if (text === undefined || text.length <= characters) return text;
  return text.slice(0, characters).replace(/[\ud800-\udbff]$/, '');
}

/** More of a user agent than this tells no two devices apart and makes evidence long. */
const USER_AGENT_CHARACTERS = 256;

export function deviceOf({ user_agent, ja4, enrichment }: EnrichedAccessEvent): Device {
  return {
    user_agent: clip(user_agent, USER_AGENT_CHARACTERS),
    family: enrichment.ua_family,
    os: enrichment.ua_os,
    ja4,
  };
}

/** Leading part of an address that one site or provider block shares: /16 of IPv4, /32 of IPv6. */
export function blockOf(ip: string): string {
  return ip.split(/[.:]/, 2).join('.');
}

/**
 * Whether two networks are surely two. Operators hand out addresses from many blocks, so within one autonomous system
 * it takes another block of the same family and another city; without autonomous systems, another block.
 */
export function networksDiffer(a: Where, b: Where): boolean {
  if (a.ip === b.ip) return false;
  if (a.asn !== undefined && b.asn !== undefined && a.asn !== b.asn) return true;
  if (a.ip.includes(':') !== b.ip.includes(':') || blockOf(a.ip) === blockOf(b.ip)) return false;
  if (a.asn === undefined || b.asn === undefined) return true;
  return a.city !== undefined && b.city !== undefined && a.city !== b.city;
}

/**
 * Transport and cipher part of a JA4 fingerprint (`t13d1516h2_8daaf6152771_…` gives `t` and `8daaf6152771`).
 * The rest changes when a TLS session is resumed, and QUIC (`q`) never compares to TCP (`t`).
 */
function stackOf(ja4: string | undefined): { transport: string; ciphers: string } | undefined {
  const ciphers = ja4?.split('_')[1];
  return ja4 === undefined || ciphers === undefined ? undefined : { transport: ja4.slice(0, 1), ciphers };
}

/** Whether the TLS stacks are the same; undefined where they cannot be compared. */
export function sameStack(a: Device, b: Device): boolean | undefined {
  if (a.ja4 !== undefined && a.ja4 === b.ja4) return true;
  const [one, two] = [stackOf(a.ja4), stackOf(b.ja4)];
  if (one === undefined || two === undefined || one.transport !== two.transport) return undefined;
  return one.ciphers === two.ciphers;
}

const isBrowser = (family: string) => BROWSER.test(family);
const isApp = (family: string) => !isBrowser(family) && !SCRIPT.test(family);
const isMobileOs = (os: string | undefined) => os !== undefined && /android|ios|ipados/i.test(os);
// What "request desktop site" makes of a phone's user agent.
const DESKTOP_SITE = new Set([
  'Android Linux',
  'Linux Android',
  'iOS macOS',
  'macOS iOS',
  'iPadOS macOS',
  'macOS iPadOS',
]);

/** What Darwin, which is all that an app's own requests say, may be. */
const DARWIN = new Set(['Darwin', 'iOS', 'iPadOS', 'macOS']);

/** Whether two operating systems may be one. */
function osAgree(a: string | undefined, b: string | undefined): boolean {
  if (a === b || a === undefined || b === undefined) return true;
  return (a === 'Darwin' || b === 'Darwin') && DARWIN.has(a) && DARWIN.has(b);
}

/** Compares two devices, in favour of one device wherever one explains both. */
export function compareDevices(a: Device, b: Device): DeviceRelation {
  if (a.user_agent !== undefined && a.user_agent === b.user_agent) {
    return sameStack(a, b) === false ? 'version' : 'same';
  }
  if (a.family === undefined || b.family === undefined) return 'unknown';
  if (a.family === b.family) {
    if (!osAgree(a.os, b.os)) {
      return DESKTOP_SITE.has(`${a.os} ${b.os}`) ? 'companion' : 'other';
    }
    return isBrowser(a.family) ? 'version' : 'same';
  }
  const [aBrowser, bBrowser] = [isBrowser(a.family), isBrowser(b.family)];
  const mobile = [a.os, b.os].some((os) => isMobileOs(os) || os === 'Darwin');
  if (mobile && osAgree(a.os, b.os)) {
    if ((aBrowser && isApp(b.family)) || (bBrowser && isApp(a.family))) return 'companion';
    if (isApp(a.family) && isApp(b.family)) return 'companion';
  }
  return 'other';
}

/** A device in a few words, for reasons. */
export function describeDevice({ family, os, user_agent }: Device): string {
  if (family === undefined)
    return user_agent === undefined ? 'an unnamed client' : `"${user_agent.slice(0, 40)}"`;
  return os === undefined ? family : `${family} on ${os}`;
}

/** A network in a few words, for reasons. */
export function describeNetwork({ asn, as_org, city, country, class: kind }: Omit<Network, 'ip'>): string {
  const place = city === undefined ? country : country === undefined ? city : `${city}, ${country}`;
  const system = as_org ?? (asn === undefined ? undefined : `AS${asn}`);
  const parts = [
    kind === 'unknown' ? undefined : kind,
    system === undefined ? 'network' : `network of ${system}`,
  ];
  const words = parts.filter((part) => part !== undefined).join(' ');
  return place === undefined ? words : `${words} in ${place}`;
}
