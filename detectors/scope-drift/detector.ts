import { isAccepted } from '../../src/detection/client-context.ts';
import {
  defineDetector,
  type DetectorContext,
  type FindingDraft,
  type StreamEvent,
} from '../../src/detection/contract.ts';
import { grantKey, isMachine } from '../../src/detection/keys.ts';
import { restate } from '../../src/detection/standing.ts';
import { judgeDrift } from './drift.ts';
import { judgeEscalation } from './escalation.ts';
import { migrate } from './migrate.ts';
import { options, type Options } from './options.ts';
import { initial, isOpen, recordAccess, recordGrant, type State } from './state.ts';
import { judgeViolations } from './violation.ts';

function isGrant(event: StreamEvent): boolean {
  if (event.kind !== 'authorization') return false;
  return (
    event.type === 'token_issued' || event.type === 'token_refreshed' || event.type === 'consent_granted'
  );
}

/** What is claimed of the grant now, as far as it was not before. */
function judge(state: State, ctx: DetectorContext<Options>): FindingDraft[] {
  const claims = [
    ...judgeEscalation(state, ctx.config),
    ...judgeViolations(state, ctx.config),
    ...judgeDrift(state, ctx),
  ];
  const lateness = ctx.allowedLateness;
  return restate(
    state.shared,
    state.standing,
    claims,
    ({ kind, time }) => kind !== 'drift' || isOpen(state, time, lateness),
  );
}

export const scopeDrift = defineDetector({
  id: 'scope-drift',
  title: 'Scope drift',
  description:
    'A grant is used for more than it was given or ever used. Escalation: the token carries scopes that no authorization ' +
    'event granted. Violation: a route answers although the token lacks the scope it requires. Drift: the grant takes to ' +
    'sensitive scopes and routes outside its own baseline that are not in use among its peers either.',
  attack: ['T1528', 'T1550.001', 'T1078.004'],
  severity: 'high',
  runbook: `1. Read the claim in the measures: \`escalation\`, \`violation\` or \`drift\`, with the scopes and routes it names.
2. Escalation: compare the token's scope with the authorization server's record of its issuance. A token with more than was issued is forged or was issued outside the usual path: recall it, then check the signing keys.
3. Violation: call the route with a token without the scope in a test environment. If it answers, fix the gateway; then look in \`access_events\` for others who found it.
4. Drift: ask the owner of the client whether a release or a new job explains it, for a person whether their role changed. Compare with the client's other users: \`SELECT uniq(sub) FROM access_events WHERE client_id = … AND route = …\`.
5. If nobody can explain it: recall the token (\`POST /v1/recalls\`), rotate the credentials of the client, and narrow its registration to the scopes it uses.
6. List what the new routes returned (\`bytes_out\` in \`access_events\`), to know what may have left.`,
  falsePositives: [
    'A release of a client that has no other users to compare with, such as a machine client',
    'A job that runs once a month or quarter, the first time it is seen',
    'A person who has been given a new role',
  ],
  config: options,
  scope: 'subject',
  stateVersion: 2,
  migrate,
  initial,
  key(event) {
    if (event.kind === 'authorization' ? !isGrant(event) : !isAccepted(event)) return null;
    // Some servers give a machine's token a subject of its own, and some events leave it out.
    return grantKey(isMachine(event) ? { ...event, sub: undefined } : event);
  },
  evaluate(event, state, ctx) {
    const lateness = ctx.allowedLateness;
    if (event.kind === 'authorization') recordGrant(state, event, ctx.config, lateness);
    else if (!recordAccess(state, event, ctx.config, lateness)) return undefined;
    return judge(state, ctx);
  },
  review: judge,
  ttl: (config) => config.inactivity,
});
