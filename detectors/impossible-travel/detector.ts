import { isAccepted } from '../../src/detection/client-context.ts';
import { defineDetector, type DetectorContext, type FindingDraft } from '../../src/detection/contract.ts';
import { isMachine, subjectKey } from '../../src/detection/keys.ts';
import { restate } from '../../src/detection/standing.ts';
import { judgeFlights } from './judge.ts';
import { migrate } from './migrate.ts';
import { options, type Options } from './options.ts';
import { initial, recordUse, type State } from './sightings.ts';
import { isSettled } from './thin.ts';

/** What is claimed of the contexts now, as far as it was not before. */
function judge(state: State, ctx: DetectorContext<Options>): FindingDraft[] {
  if (!state.far) return [];
  const lateness = ctx.allowedLateness;
  const claims = judgeFlights(state, ctx);
  return state.contexts.flatMap(({ number, standing }) => {
    // What was claimed of uses that are settled stands.
    if (standing.some(({ time }) => isSettled(state, time, lateness))) return [];
    const claim = claims.get(number);
    return restate(state.shared, standing, claim === undefined ? [] : [claim]);
  });
}

export const impossibleTravel = defineDetector({
  id: 'impossible-travel',
  title: 'Impossible travel',
  description:
    'A subject uses tokens at two places farther apart than anybody can travel in the time between. The distance is a ' +
    'lower bound: great circle less the accuracy radii of both places, from records that name a city. The suspect use ' +
    'is the one whose place is new to the subject.',
  attack: ['T1550.001', 'T1078.004'],
  severity: 'high',
  runbook: `1. Open the alert and read the two uses: places, networks, user agents, and the time and lower-bound distance between them.
2. Ask where the suspect token was used: \`GET /v1/tokens/{token_hash}\`, or the view \`token_places\`. Several countries in minutes speak for theft; one far place with the subject's own device speaks for a VPN.
3. Look up the suspect address and its autonomous system. A commercial VPN or a company's own egress: add it to \`enrich.networks\` as \`anonymizer\` or \`private\`, resolve the alert as benign.
4. Ask the subject by a channel other than the account whether they are, or were connected, there.
5. If not: recall the token (\`POST /v1/recalls\`), then have the subject change credentials and end all sessions at the authorization server.
6. Review what the suspect uses reached (method, route, status in the evidence) and whether data left.`,
  falsePositives: [
    'A VPN or a company gateway that is not yet known as such, used for the first time',
    'An address that the geo database puts in the wrong city or country',
    'An account shared by people in several places',
  ],
  config: options,
  scope: 'subject',
  stateVersion: 2,
  migrate,
  initial,
  key(event) {
    if (event.kind !== 'access' || isMachine(event) || !isAccepted(event)) return null;
    const { network } = event.enrichment;
    // Where somebody comes out of an anonymizer or a private network says nothing of where they are.
    return network === 'anonymizer' || network === 'private' ? null : subjectKey(event);
  },
  evaluate(event, state, ctx) {
    if (event.kind !== 'access') return undefined;
    const { min_distance, min_distance_domestic } = ctx.config;
    recordUse(state, event, Math.min(min_distance, min_distance_domestic), ctx.allowedLateness);
    return judge(state, ctx);
  },
  review: judge,
  ttl: (config) => config.retention,
});
