import type { Attack } from './attacks.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import type { Cast } from './cast.ts';
import { addressIn, LONDON_PROXY, SINGAPORE } from './places.ts';
import { createRandom } from './random.ts';
import type { Session } from './sessions.ts';

/** The three attacks on the people and machines of one demo. */
export function planAttacks(
  cast: Cast,
  sessions: readonly Session[],
  { server, seed }: { server: AuthorizationServer; seed: number },
): Attack[] {
  const random = createRandom(seed ^ 0x2545f491);
  const { abroad, proxied } = cast.victims;
  const laptopOf = (sub: string) => {
    const session = sessions.find(({ person, device }) => person?.sub === sub && device?.kind === 'laptop');
    if (session === undefined) throw new Error(`${sub} has not signed in`);
    return session;
  };
  const { partner } = cast;
  const broad = `${partner.scope} admin:read admin:export`;
  const orders = [
    { method: 'GET', path: '/api/orders' },
    { method: 'GET', path: '/api/orders/4711' },
    { method: 'GET', path: '/api/profile' },
  ] as const;
  return [
    {
      id: 'overseas',
      title: 'A token stolen in Lyon, used from Singapore',
      story: `has got hold of the access token of ${abroad.sub}'s laptop (${abroad.place}), which goes on working`,
      steal: () => Promise.resolve(laptopOf(abroad.sub).token),
      caller: { userAgent: 'python-requests/2.32.3', address: addressIn(SINGAPORE, random) },
      from: `${SINGAPORE.operator}, ${SINGAPORE.city}`,
      requests: orders,
      pace: 400,
    },
    {
      id: 'proxy',
      title: "A token replayed through a residential proxy, in the victim's own city",
      story: `has got hold of the access token of ${proxied.sub}'s laptop (${proxied.place}) and hides behind a household line nearby`,
      steal: () => Promise.resolve(laptopOf(proxied.sub).token),
      caller: {
        userAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0',
        address: addressIn(LONDON_PROXY, random),
      },
      from: `${LONDON_PROXY.operator}, ${LONDON_PROXY.city}`,
      requests: orders,
      pace: 700,
    },
    {
      id: 'drift',
      title: 'A partner client drifts into scopes it never used',
      story: `inside ${partner.clientId} asks the authorization server for «${broad}», and gets it: the registration is too broad`,
      steal: async () =>
        (await server.clientCredentials({ client_id: partner.clientId, scope: broad })).access_token,
      caller: { userAgent: partner.userAgent, address: partner.addresses[0] },
      from: 'its usual address',
      requests: [
        { method: 'GET', path: '/api/admin/users' },
        { method: 'GET', path: '/api/admin/export' },
      ],
      pace: 500,
    },
  ];
}
