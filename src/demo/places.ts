import type { NetworkClass } from '../../schemas/access-event.ts';
import type { Random } from './random.ts';

/**
 * A /24 as it is announced on the Internet. The demo only writes these addresses into X-Forwarded-For, as a load
 * balancer would: nothing is ever sent to them. They are real so that enrichment really has to place them;
 * a test holds every row against the databases that ship with the product.
 */
export interface Network {
  /** The first three octets. */
  readonly prefix: string;
  readonly country: string;
  /** For people: where the operator's customers of this prefix are. */
  readonly city: string;
  readonly operator: string;
  readonly network: NetworkClass;
}

/** What one country offers: lines at home, and phones on the road. */
export interface Country {
  readonly homes: readonly [Network, ...Network[]];
  readonly mobile: Network;
}

const on =
  (network: NetworkClass) =>
  (country: string, prefix: string, city: string, operator: string): Network => ({
    prefix,
    country,
    city,
    operator,
    network,
  });
const home = on('residential');
const mobile = on('mobile');
const hosting = on('hosting');

export const COUNTRIES: readonly [Country, ...Country[]] = [
  {
    homes: [
      home('US', '73.42.170', 'Bellevue', 'Comcast'),
      home('US', '76.96.0', 'Atlanta', 'Comcast'),
      home('US', '108.210.131', 'Houston', 'AT&T'),
      home('US', '174.80.0', 'Maryville', 'Charter'),
    ],
    mobile: mobile('US', '172.58.170', 'San Jose', 'T-Mobile US'),
  },
  {
    homes: [
      home('GB', '86.5.85', 'London', 'Virgin Media'),
      home('GB', '86.0.0', 'Bristol', 'Virgin Media'),
      home('GB', '90.218.170', 'Sheffield', 'Sky'),
    ],
    mobile: mobile('GB', '188.28.0', 'London', 'Three UK'),
  },
  {
    homes: [
      home('FR', '90.18.63', 'Lyon', 'Orange'),
      home('FR', '88.165.85', 'Bordeaux', 'Free'),
      home('FR', '90.0.0', 'Lille', 'Orange'),
    ],
    mobile: mobile('FR', '37.173.85', 'Paris', 'Free Mobile'),
  },
  {
    homes: [home('IT', '79.0.0', 'Milan', 'TIM'), home('IT', '79.42.170', 'Genoa', 'TIM')],
    mobile: mobile('IT', '2.192.0', 'Milan', 'TIM'),
  },
  {
    homes: [home('SE', '81.226.170', 'Malmö', 'Telia'), home('SE', '81.229.85', 'Stockholm', 'Telia')],
    mobile: mobile('SE', '2.64.0', 'Stockholm', 'Tre'),
  },
  {
    homes: [
      home('PL', '79.187.255', 'Warsaw', 'Orange Polska'),
      home('PL', '83.17.29', 'Mielec', 'Orange Polska'),
    ],
    mobile: mobile('PL', '31.174.0', 'Warsaw', 'Play'),
  },
  {
    homes: [home('JP', '182.168.0', 'Tokyo', 'So-net'), home('JP', '153.232.255', 'Osaka', 'OCN')],
    mobile: mobile('JP', '27.228.0', 'Tokyo', 'NTT Docomo'),
  },
  {
    homes: [home('AU', '1.120.0', 'Melbourne', 'Telstra'), home('AU', '101.183.245', 'Brisbane', 'Telstra')],
    mobile: mobile('AU', '120.19.255', 'Sydney', 'Vodafone AU'),
  },
];

/** Where the victim of the theft across continents lives. */
export const LYON = home('FR', '90.18.63', 'Lyon', 'Orange');
/** Where the thief rents a server. */
export const SINGAPORE = hosting('SG', '68.183.180', 'Singapore', 'DigitalOcean');
/** Where the victim of the replay lives, and the household whose line the replay is tunnelled through. */
export const LONDON = home('GB', '86.128.0', 'London', 'BT');
export const LONDON_PROXY = home('GB', '90.197.85', 'London', 'Sky');
/** A server that a company rents for its own VPN: on nobody's list of VPNs. */
export const LONDON_VPN = hosting('GB', '54.37.85', 'London', 'OVH');
/** Egress of a secure web gateway, which is on such lists. */
export const LONDON_WEB_GATEWAY = on('anonymizer')('GB', '165.225.80', 'London', 'Zscaler');
/** Where machines run. */
export const FRANKFURT = hosting('DE', '18.196.0', 'Frankfurt', 'Amazon');
export const DUBLIN = hosting('IE', '34.242.0', 'Dublin', 'Amazon');
export const FALKENSTEIN = hosting('DE', '46.224.0', 'Falkenstein', 'Hetzner');

/** Every network the demo uses. */
export const NETWORKS: readonly Network[] = [
  ...COUNTRIES.flatMap((country) => [...country.homes, country.mobile]),
  ...[LYON, SINGAPORE, LONDON, LONDON_PROXY, LONDON_VPN, LONDON_WEB_GATEWAY, FRANKFURT, DUBLIN, FALKENSTEIN],
];

/** An address of `network`, such as `90.18.63.77`. */
export function addressIn(network: Network, random: Random): string {
  return `${network.prefix}.${random.integer(2, 253)}`;
}
