import { networkSet } from '../network-map.ts';

/**
 * Networks whose addresses speak for somebody elsewhere: consumer VPNs, relays, Tor exits, proxy services, and the
 * security gateways that companies send their people's traffic through. Where such an address is says nothing about
 * where the person is. Numbers and blocks are public facts (RIR registries, the operators' own pages), checked
 * against the ASN database of 2026-06-17.
 */

/**
 * Egress of iCloud Private Relay and of Cloudflare WARP. Apple's partners for it are content delivery networks, so
 * an AS number would not do: Cloudflare (13335) and Fastly (54113) announce workers, crawlers and shields too, which
 * are hosting. These blocks cover every entry of Apple's list https://mask-api.icloud.com/egress-ip-ranges.csv as of
 * 2026-08-17. Its exact entries, 13,000 of them, can be given as `enrich.networks` where that matters.
 */
export const RELAY_BLOCKS = networkSet([
  '172.224.224.0/19', // Akamai
  '172.225.0.0/16',
  '172.226.0.0/16',
  '2a02:26f7:8000::/33',
  '104.28.0.0/16', // Cloudflare
  '2606:54c0::/30',
  '2a09:bac0::/29',
  '146.75.128.0/17', // Fastly
  '140.248.0.0/18',
  '2a04:4e41::/33',
]);

export const ANONYMIZER_ASNS: Readonly<Record<string, readonly number[]>> = {
  // Hosting companies by name, but what people's tokens come from there is the exits of NordVPN, Surfshark,
  // Private Internet Access, CyberGhost and others, who rent most of both.
  M247: [9009, 16247, 42973, 33970],
  'Datacamp (CDN77)': [212238, 60068],
  'PacketHub (NordVPN)': [136787, 141039, 147049, 207137, 272096],
  Surfshark: [209854],
  'Proton VPN': [62371, 199218, 208172, 209103],
  'Mullvad and 31173 Services': [39351, 49399, 214813, 216025],
  Windscribe: [397540],
  IVPN: [203619],
  'Overplay (StrongVPN, IPVanish)': [197640],
  'Strong Technology (StrongVPN)': [22781, 62651],
  'tzulo (Mullvad, Private Internet Access)': [11878],
  'AVAST (SecureLine, HideMyAss)': [198605, 198621],
  'Bullet Proof VPN': [208765],
  // Tor exits; most exits are single hosts elsewhere, which only a current exit list knows.
  'Emerald Onion': [396507],
  'Calyx Institute': [4224],
  'Foundation for Applied Privacy': [208323],
  'Stiftung Erneuerbare Freiheit (Zwiebelfreunde)': [60729],
  'F3 Netze': [205100],
  'Quintex Alliance': [62744],
  Unredacted: [401401, 401720],
  '1337 Services': [210558, 54990],
  // Proxies for rent.
  Oxylabs: [396319],
  IPRoyal: [209043],
  'Sprious (Rayobyte)': [64267, 54252, 397630],
  '3xK Tech': [200373, 198571],
  // Security gateways: one egress for all sites and travellers of a company.
  Zscaler: [22616, 53444, 53813, 62044, 62907],
  Netskope: [55256],
  'Cato Networks': [13150, 138627],
  iboss: [396253, 202276, 137922],
  'Cisco Umbrella': [36692, 25605],
  'Menlo Security': [62654],
  Forcepoint: [44444, 13448, 42465, 43251],
  'Check Point SSE (Perimeter 81)': [398391, 213176],
};

/** Operators who name themselves after it. `VPN` alone is also the initials of some access providers. */
export const ANONYMIZER_NAME =
  /\b(?:mullvad|windscribe|surfshark|nordvpn|expressvpn|protonvpn|packethub|zscaler|netskope|emerald onion|tor exit|vpn (?:ab|ltd|limited|llc|service|provider))\b/i;

/** Named like an anonymizer, but lines to homes and companies. */
export const NOT_ANONYMIZER_ASNS: readonly number[] = [27683, 263097, 46868];
