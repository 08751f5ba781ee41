import { upgraded } from './cast.ts';
import type { Call } from './caller.ts';
import { pause } from './pause.ts';
import { createRandom } from './random.ts';
import { request, type Session } from './sessions.ts';
import { ROUTES } from './routes.ts';
import type { Timeline } from './timeline.ts';

const RETRIES = 25;

/**
 * Honest behaviour that looks odd, spread over the time of the attacks. It makes «nobody else was touched» mean something.
 *
 * @returns when all of it has happened, or `signal` aborted
 */
export async function behaveOddly(
  sessions: readonly Session[],
  { call, timeline, seed, signal }: { call: Call; timeline: Timeline; seed: number; signal: AbortSignal },
): Promise<void> {
  const random = createRandom(seed ^ 0x51ed270b);
  const at = async (ms: number, act: () => Promise<void> | void) => {
    await pause(ms, signal);
    if (!signal.aborted) await act();
  };
  const find = (habit: string, kind: string) =>
    sessions.find((session) => session.person?.habit === habit && session.device?.kind === kind);
  const say = (session: Session, event: string, text: string) =>
    timeline.say(session.machine === undefined ? 'users' : 'machine', event, text, { who: session.who });
  const cluster = sessions.find((session) => session.machine?.scalesOut === true);
  const mover = find('wifi-to-mobile', 'phone');
  const modern = find('browser-upgrade', 'laptop');
  const stormy = find('retry-storm', 'laptop');
  const remote = find('corporate-vpn', 'laptop');
  const filtered = find('web-gateway', 'laptop');
  const curious = find('curious', 'laptop');

  const comeFromLondon = (session: Session | undefined, by: string) => {
    if (session?.person?.egress === undefined) return;
    const { egress, place } = session.person;
    session.addresses = [egress];
    say(session, 'egress', `${session.who} (${place}) now comes from London (${egress}), by ${by}`);
  };

  await Promise.all([
    at(2_000, () => {
      if (cluster?.machine === undefined) return;
      cluster.addresses = cluster.machine.addresses;
      const { length } = cluster.addresses;
      say(
        cluster,
        'scale_out',
        `${cluster.who} scales out: ${length} instances in two regions share its token`,
      );
    }),
    at(4_000, () => {
      if (mover?.device?.addresses[1] === undefined) return;
      const [from, to] = mover.device.addresses;
      mover.addresses = [to];
      say(
        mover,
        'wifi_to_mobile',
        `${mover.who} leaves the house: from wifi (${from}) to the mobile network (${to})`,
      );
    }),
    at(6_000, () => {
      if (modern === undefined) return;
      modern.userAgent = upgraded(modern.userAgent);
      say(
        modern,
        'browser_upgrade',
        `${modern.who} comes back with the next version of its browser, same token`,
      );
    }),
    at(8_000, async () => {
      if (stormy === undefined) return;
      const statuses = await storm(stormy, call, seed);
      say(stormy, 'retry_storm', `${stormy.who} retries one request ${RETRIES} times at once: ${statuses}`);
    }),
    at(10_000, async () => {
      const [route] = ROUTES.filter(({ path }) => path === '/api/reports');
      if (curious === undefined || route === undefined) return;
      const { status } = await request(curious, route, random, call);
      say(curious, 'curious', `${curious.who} tries ${route.path} without the scope for it: ${status}`);
    }),
    at(11_000, () => comeFromLondon(filtered, "the company's web gateway (Zscaler)")),
    at(12_000, () => comeFromLondon(remote, 'the company VPN, a rented server on no list of VPNs')),
  ]);
}

async function storm(session: Session, call: Call, seed: number): Promise<string> {
  const [route] = ROUTES.filter(({ path }) => path === '/api/orders');
  if (route === undefined) return 'none';
  const replies = await Promise.all(
    Array.from({ length: RETRIES }, () => request(session, route, createRandom(seed), call)),
  );
  const counts = new Map<number, number>();
  for (const { status } of replies) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${count} × ${status}`).join(', ');
}
