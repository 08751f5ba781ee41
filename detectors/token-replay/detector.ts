import { isAccepted } from '../../src/detection/client-context.ts';
import {
  defineDetector,
  type DetectorContext,
  type FindingDraft,
  type StreamEvent,
} from '../../src/detection/contract.ts';
import { isMachine, subjectKey, tokenKey } from '../../src/detection/keys.ts';
import { restate } from '../../src/detection/standing.ts';
import { judgeBinding } from './binding.ts';
import { judgeSession } from './judge.ts';
import { migrate } from './migrate.ts';
import { options, type Options } from './options.ts';
import { initial, recordUse, type Session, type State } from './sessions.ts';

/** Whether it is known that no person is behind the token: the same token on many machines is how they scale. */
function isKnownMachine(event: StreamEvent): boolean {
  return isMachine(event) && (event.sub !== undefined || event.client_id !== undefined);
}

/** What is claimed of the sessions now, as far as it was not before. */
function judge(state: State, sessions: readonly Session[], ctx: DetectorContext<Options>): FindingDraft[] {
  return sessions.flatMap((session) =>
    restate(state.shared, session.standing, judgeSession(state, session, ctx)),
  );
}

export const tokenReplay = defineDetector({
  id: 'token-replay',
  title: 'Token replay',
  description:
    'One token, or the tokens of one session, are alive in two client contexts at once: another device on another ' +
    'network than the owner, who opened the session. Also a sender-constrained token accepted from a caller with ' +
    'another key. Networks and devices that the owner combines are learned as the owner goes.',
  attack: ['T1550.001', 'T1528', 'T1539'],
  severity: 'critical',
  runbook: `1. Open the alert and compare the contexts in the evidence: network, city, user agent. The owner opened the session; the suspect came later. A suspect that goes on with refreshed tokens is claimed for each of them.
2. List every use of the token: \`GET /v1/tokens/{token_hash}\`, or the view \`token_places\`. Owner and suspect taking turns within minutes is theft until proven otherwise.
3. Claim \`binding\`: the key thumbprints differ, no honest explanation is left. Recall the token, then find out why the gateway let it pass.
4. Claim \`exit\`: the device is the same and only the network differs. Ask whether the subject uses a VPN there; if so, list it in \`enrich.networks\` as \`anonymizer\`.
5. A backend that calls on behalf of users and forwards their tokens: list its networks in \`enrich.networks\` as \`private\`, or have it exchange tokens (RFC 8693).
6. Otherwise recall the token (\`POST /v1/recalls\`) if policy has not, end the session at the authorization server so that no refresh token survives, and look for how the token leaked: logs, browser extensions, a compromised dependency.
7. Review what the suspect context reached, oldest use first.`,
  falsePositives: [
    'A backend that forwards the tokens of its users from a hosting network, while few users have been seen',
    'A developer who copies a token from the browser to a server',
    'A security product that repeats requests from its own cloud',
  ],
  config: options,
  scope: 'subject',
  stateVersion: 3,
  migrate,
  initial,
  key(event) {
    if (event.kind !== 'access' || !isAccepted(event)) return null;
    if (isKnownMachine(event)) return event.cnf === undefined ? null : tokenKey(event);
    return subjectKey(event) ?? tokenKey(event);
  },
  evaluate(event, state, ctx) {
    if (event.kind !== 'access') return undefined;
    const binding = judgeBinding(event);
    const claims = binding === undefined ? [] : [binding];
    // What stays inside a private network is a service passing a call on.
    if (isKnownMachine(event) || event.enrichment.network === 'private') return claims;
    const recorded = recordUse(state, event, ctx.allowedLateness);
    if (recorded === undefined) return claims;
    // Who opened a session, and from where, counts in the subject's other sessions too.
    const { session, isNews } = recorded;
    return [...claims, ...judge(state, isNews ? state.sessions : [session], ctx)];
  },
  review: (state, ctx) => judge(state, state.sessions, ctx),
  ttl: (config) => config.retention,
});
