import type { NetworkClass } from '../../schemas/access-event.ts';
import type { Signal } from '../../schemas/finding.ts';
import {
  compareDevices,
  describeDevice,
  describeNetwork,
  networksDiffer,
  sameStack,
  type Network,
} from '../../src/detection/client-context.ts';
import type { DetectorContext, FindingDraft } from '../../src/detection/contract.ts';
import { relayFeature } from '../../src/detection/features.ts';
import { clientKey } from '../../src/detection/keys.ts';
import {
  describeSpan,
  evidenceOfUse,
  isBefore,
  networkOfUse,
  originOfUse,
  partyOf,
  suspectOfUse,
  type Origin,
  type Shared,
  type Use,
} from '../../src/detection/use.ts';
import { nameOfNetwork } from './networks.ts';
import type { Options } from './options.ts';
import { byFirstUse, lastOf, otherOpeners, type Context, type Session, type State } from './sessions.ts';

/** Suspect contexts of one session that are told; a token passed around does not fill an alert. */
const TOLD = 3;
/** What is left of a claim where the context is explained, if not proven, to be honest: recorded, no alert. */
const EXPLAINED = 0.4;

const isRented = (kind: NetworkClass) => kind === 'hosting' || kind === 'anonymizer';
const isAccess = (kind: NetworkClass) => kind === 'residential' || kind === 'mobile';

/** A context with where it is, by its first use. */
interface Placed {
  first: Use;
  last: Use;
  further: readonly Use[];
  network: Network;
  device: Origin;
}

function placed(shared: Shared, context: Context): Placed {
  const { first, further } = context;
  return {
    first,
    last: lastOf(context),
    further,
    network: networkOfUse(shared, first),
    device: originOfUse(shared, first),
  };
}

/** How a context relates to those the owner has been in. */
type Relation = 'own' | 'stranger' | 'double' | 'exit';

/**
 * own: shares the network, or the device, of a context of the owner's. stranger: another device on another network.
 * double: the same browser in another version or with another TLS stack, on another network.
 * exit: nothing but a rented network tells it from the owner: a VPN, or a thief with the owner's user agent.
 */
function relate(context: Placed, own: readonly Placed[]): Relation {
  const elsewhere = own.every((one) => networksDiffer(one.network, context.network));
  if (!elsewhere) return 'own';
  const devices = own.map((one) => compareDevices(one.device, context.device));
  if (devices.every((device) => device === 'other')) return 'stranger';
  if (devices.every((device) => device === 'other' || device === 'version')) return 'double';
  return isRented(context.network.class) && own.every((one) => isAccess(one.network.class)) ? 'exit' : 'own';
}

/** First use by the owner after `use` that is known; undefined where the owner has not returned. */
function ownerAfter(own: readonly Placed[], use: Use): { use: Use; context: Placed } | undefined {
  const uses = own.flatMap((context) => [context.first, context.last].map((one) => ({ use: one, context })));
  const [earliest] = uses
    .filter((one) => isBefore(use, one.use))
    .sort((a, b) => (isBefore(a.use, b.use) ? -1 : 1));
  return earliest;
}

/** Latest use by the owner before `use` that is known. */
function ownerBefore(own: readonly Placed[], use: Use): { use: Use; context: Placed } | undefined {
  const uses = own.flatMap((context) => [context.first, context.last].map((one) => ({ use: one, context })));
  const [latest] = uses
    .filter((one) => isBefore(one.use, use))
    .sort((a, b) => (isBefore(a.use, b.use) ? 1 : -1));
  return latest;
}

/** Whether the subject signed in with this device on this network before, long enough ago and in another session. */
function isOwnElsewhere(
  state: State,
  session: Session,
  { network, device, first }: Placed,
  options: Options,
): boolean {
  return otherOpeners(state, session).some(
    (opener) =>
      opener.time <= first.time - options.own_after &&
      !networksDiffer(opener, network) &&
      compareDevices(opener, device) !== 'other',
  );
}

/**
 * Whether the caller is a backend that forwards the tokens of its users: of many, and of a good part of all users of
 * the client, which tells it from somebody who has stolen many tokens.
 */
function isRelay(shared: Shared, { first, network, device }: Placed, ctx: DetectorContext<Options>): boolean {
  const client = clientKey(partyOf(shared, first.token));
  if (client === null || network.asn === undefined || isAccess(network.class)) return false;
  const { subjects, population } = ctx.adoption(client, relayFeature(network.asn, device.family), first.time);
  const { shared_relay_subjects: least, shared_relay_share: share } = ctx.config;
  return subjects > least && subjects >= population * share;
}

interface Claim {
  kind: string;
  confidence: number;
  signals: Signal[];
  says: string;
}

/** What the context as a whole justifies; it holds for every token used there. */
function claimsOn(
  context: Placed,
  relation: Relation,
  own: readonly Placed[],
  state: State,
  options: Options,
): Claim[] {
  const { first, last, network } = context;
  const after = ownerAfter(own, first);
  const both: Signal[] = ['location', 'device'];
  if (relation === 'stranger') {
    const claims: Claim[] = [{ kind: 'moved', confidence: 0.8, signals: both, says: 'turns up' }];
    if (last.event_id !== first.event_id) {
      claims.push({ kind: 'sustained', confidence: 0.9, signals: both, says: 'goes on being used' });
    }
    if (after !== undefined) {
      claims.push({ kind: 'interleaved', confidence: 0.95, signals: both, says: 'is used in between' });
    }
    return claims;
  }
  if (after === undefined) return [];
  if (relation === 'double') {
    const confidence = isRented(network.class) ? 0.92 : 0.85;
    return [{ kind: 'double', confidence, signals: both, says: 'is used in between' }];
  }
  // The subject must have a past without this network, or it is how they have always worked.
  const since = Math.min(...Object.values(state.networks));
  const firstHere = state.networks[nameOfNetwork(network)] ?? first.time;
  const novel = firstHere >= first.time && since <= first.time - options.own_after;
  const [owner] = own;
  const alike = owner !== undefined && sameStack(owner.device, context.device) === true;
  if (!novel || alike || network.class === 'anonymizer') return [];
  return [{ kind: 'exit', confidence: 0.6, signals: ['location'], says: 'is used in between' }];
}

/**
 * The claim on one token.
 *
 * @param use the first use of the token in the context
 */
function draft(
  shared: Shared,
  claim: Claim,
  use: Use,
  context: Placed,
  own: readonly Placed[],
  explained: boolean,
): FindingDraft {
  const { first, last } = context;
  const before = ownerBefore(own, first);
  const after = claim.kind === 'moved' || claim.kind === 'sustained' ? undefined : ownerAfter(own, first);
  const second = use === first && claim.kind === 'sustained' ? last : use;
  const rests = [
    ...(before === undefined ? [] : [before]),
    { use: first, context },
    ...(second === first ? [] : [{ use: second, context }]),
    ...(after === undefined ? [] : [after]),
  ];
  const owner = before?.context ?? after?.context;
  const sinceOwner = before === undefined ? undefined : first.time - before.use.time;
  const parts = [
    `A token of ${owner === undefined ? 'the owner' : `${describeDevice(owner.device)} on a ${describeNetwork(owner.network)}`}`,
    `${claim.says} through a ${describeNetwork(context.network)} by ${describeDevice(context.device)}`,
  ];
  const timing = sinceOwner === undefined ? '' : `, ${describeSpan(sinceOwner)} after the owner's use`;
  const returned =
    after === undefined ? '' : `; the owner goes on ${describeSpan(after.use.time - first.time)} later`;
  const further =
    use === first ? '' : `; this token follows there ${describeSpan(use.time - first.time)} later`;
  const sole = claim.kind === 'exit' ? '. The device is the same, so a VPN would explain it' : '';
  const known = explained ? '. The context is known from honest use, so this is only recorded' : '';
  return {
    kind: claim.kind,
    confidence: explained ? Math.min(EXPLAINED, claim.confidence) : claim.confidence,
    signals: claim.signals,
    reason: `${parts.join(' ')}${timing}${returned}${further}${sole}${known}`,
    measures: {
      network_differs: true,
      device_differs: claim.signals.includes('device'),
      owner_returned: after !== undefined,
      ...(sinceOwner !== undefined && { seconds_after_owner: Math.round(sinceOwner / 1000) }),
    },
    suspect: suspectOfUse(shared, use),
    evidence: rests
      .sort((a, b) => (isBefore(a.use, b.use) ? -1 : 1))
      .map((one) => evidenceOfUse(shared, one.use)),
  };
}

/**
 * The claims on one session: contexts that are not its owner's. The owner is who opened it; a context that shares the
 * network or the device of the owner's becomes the owner's too, which is how home and mobile, an app and its web view,
 * and an updated browser are learned. Two devices on two networks never share a token honestly.
 */
export function judgeSession(state: State, session: Session, ctx: DetectorContext<Options>): FindingDraft[] {
  if (session.contexts.length < 2) return [];
  const { shared } = state;
  const [owner, ...others] = byFirstUse(session.contexts).map((context) => placed(shared, context));
  if (owner === undefined) return [];
  const own = [owner];
  const claims: FindingDraft[] = [];
  let told = session.gone;
  for (const context of others) {
    const relation = relate(context, own);
    if (relation === 'own') {
      own.push(context);
      continue;
    }
    const explained = isOwnElsewhere(state, session, context, ctx.config) || isRelay(shared, context, ctx);
    if (told >= TOLD || (explained && relation === 'exit')) continue;
    const found = claimsOn(context, relation, own, state, ctx.config);
    if (found.length > 0) told += 1;
    for (const use of explained ? [context.first] : [context.first, ...context.further]) {
      for (const claim of found) {
        // A further token is more than the first sight of the context.
        if (use !== context.first && claim.kind === 'moved') continue;
        claims.push(draft(shared, claim, use, context, own, explained));
      }
    }
  }
  return claims;
}
