import {
  addressIn,
  COUNTRIES,
  DUBLIN,
  FALKENSTEIN,
  FRANKFURT,
  LONDON,
  LONDON_VPN,
  LONDON_WEB_GATEWAY,
  LYON,
  type Country,
  type Network,
} from './places.ts';
import { createRandom, type Random } from './random.ts';

/** What an ordinary user does that a careless detector would take for theft. */
export type Habit =
  | 'steady'
  | 'wifi-to-mobile'
  | 'browser-upgrade'
  | 'corporate-vpn'
  | 'web-gateway'
  | 'retry-storm'
  | 'curious'
  | 'administrator';

/** One app on one device of a person. Each holds a token of its own. */
export interface Device {
  readonly kind: 'laptop' | 'phone';
  readonly clientId: string;
  readonly userAgent: string;
  readonly scope: string;
  /** Addresses it is used from, the usual one first. */
  readonly addresses: readonly [string, ...string[]];
}

export interface Person {
  readonly sub: string;
  /** City and country, for the reader of the timeline. */
  readonly place: string;
  readonly habit: Habit;
  readonly laptop: Device;
  readonly phone?: Device | undefined;
  /** Where the company lets the laptop out onto the Internet, once it is connected. No history knows the address. */
  readonly egress?: string | undefined;
}

/** A program that signs in as itself (RFC 6749 section 4.4). */
export interface Machine {
  readonly clientId: string;
  readonly userAgent: string;
  readonly scope: string;
  /** Its instances; one that scales out starts with the first and adds the rest. */
  readonly addresses: readonly [string, ...string[]];
  readonly scalesOut: boolean;
}

export interface Cast {
  readonly people: readonly Person[];
  /** Their tokens will be stolen. Nothing but the attack plan knows. */
  readonly victims: { readonly abroad: Person; readonly proxied: Person };
  readonly machines: readonly Machine[];
  /** The machine client that will go astray. */
  readonly partner: Machine;
}

const LAPTOPS: readonly [string, ...string[]] = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0',
  'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0',
];
const PHONES: readonly [string, ...string[]] = [
  'Shop/4.2 (Android 15; Pixel 8) okhttp/4.12.0',
  'Shop/4.2 CFNetwork/1568.300.101 Darwin/24.2.0',
];

const CUSTOMER = 'profile:read orders:read orders:write';
const HABITS: readonly Habit[] = [
  'corporate-vpn',
  'web-gateway',
  'wifi-to-mobile',
  'browser-upgrade',
  'retry-storm',
  'curious',
  'administrator',
  'administrator',
];

/** The networks through which companies let their people out. */
const EGRESS: Partial<Record<Habit, Network>> = {
  'corporate-vpn': LONDON_VPN,
  'web-gateway': LONDON_WEB_GATEWAY,
};

/**
 * Deals out the people and machines of one demo: `users` ordinary users, two more whose tokens will be stolen, and
 * the machine clients. The same seed gives the same cast.
 */
export function createCast(users: number, seed: number): Cast {
  const random = createRandom(seed);
  const people = Array.from({ length: users }, (_, index) =>
    person(index + 1, HABITS[index] ?? 'steady', random),
  );
  const [britain, france] = [countryOf('GB'), countryOf('FR')];
  return {
    people,
    victims: {
      abroad: resident(users + 1, { ...france, homes: [LYON] }, 'steady', LAPTOPS[0], true, random),
      proxied: resident(
        users + 2,
        { ...britain, homes: [LONDON] },
        'steady',
        LAPTOPS[2] ?? LAPTOPS[0],
        true,
        random,
      ),
    },
    machines: [
      {
        clientId: 'stock-sync',
        userAgent: 'stock-sync/2.3 (go1.25)',
        scope: 'stock:read orders:read',
        // One token, shared by all its instances, in two regions of one cloud.
        addresses: [
          addressIn(FRANKFURT, random),
          ...Array.from({ length: 5 }, (_, index) => addressIn(index % 2 === 0 ? DUBLIN : FRANKFURT, random)),
        ],
        scalesOut: true,
      },
      {
        clientId: 'nightly-billing',
        userAgent: 'billing/1.9 Java-http-client/21.0.4',
        scope: 'orders:read reports:read',
        addresses: [addressIn(FRANKFURT, random)],
        scalesOut: false,
      },
    ],
    partner: {
      clientId: 'partner-insights',
      userAgent: 'python-requests/2.32.3',
      scope: 'reports:read',
      addresses: [addressIn(FALKENSTEIN, random)],
      scalesOut: false,
    },
  };
}

function countryOf(code: string): Country {
  return COUNTRIES.find((country) => country.mobile.country === code) ?? COUNTRIES[0];
}

function person(number: number, habit: Habit, random: Random): Person {
  // An ocean between home and egress makes it look worst.
  const country = habit in EGRESS ? countryOf('US') : random.pick(COUNTRIES);
  return resident(
    number,
    country,
    habit,
    random.pick(LAPTOPS),
    habit !== 'steady' || random.chance(0.4),
    random,
  );
}

function resident(
  number: number,
  country: Country,
  habit: Habit,
  userAgent: string,
  hasPhone: boolean,
  random: Random,
): Person {
  const network = random.pick(country.homes);
  const home = addressIn(network, random);
  const road = addressIn(country.mobile, random);
  const egress = EGRESS[habit];
  const scope = habit === 'administrator' ? `${CUSTOMER} admin:read` : CUSTOMER;
  return {
    sub: `user-${String(number).padStart(2, '0')}`,
    place: `${network.city}, ${network.country}`,
    habit,
    laptop: { kind: 'laptop', clientId: 'web-shop', userAgent, scope, addresses: [home] },
    phone: hasPhone
      ? {
          kind: 'phone',
          clientId: 'mobile-shop',
          userAgent: random.pick(PHONES),
          scope: CUSTOMER,
          // Somebody who is about to leave the house starts on the line at home.
          addresses: habit === 'wifi-to-mobile' ? [home, road] : [road, home],
        }
      : undefined,
    egress: egress === undefined ? undefined : addressIn(egress, random),
  };
}

/** The user agent of the same browser, one major version on. */
export function upgraded(userAgent: string): string {
  return userAgent.replace(
    /(Chrome|Edg|Firefox|rv:|Version)([/:]?)(\d+)/g,
    (_, name: string, mark: string, major: string) => `${name}${mark}${Number(major) + 1}`,
  );
}
