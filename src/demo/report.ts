import { join } from 'node:path';
import type { AttackOutcome } from './attacks.ts';
import { requests, table } from './table.ts';
import type { Timeline } from './timeline.ts';
import type { Verdict } from './verdict.ts';
import type { World } from './world.ts';

const INTRODUCTION = `Token Recall demo

A whole system starts on this machine: an OAuth authorization server, a gateway, Token Recall with its ClickHouse,
and people and machines who use their tokens. Then three tokens are misused, while everybody goes on working.
Every line below is printed because it just happened: minutes and seconds since the start, who, what.

  attacker  what it calls, and what the gateway answers       decision  what policy makes of the findings, and why
  owner     whose token it was                                proof     introspection after the revocation
  finding   a detector's claim about one request (0 to 1)     users, machine   the others, some of them acting oddly
`;

const COUNTED = ['access_events', 'authorization_events', 'findings', 'alerts', 'actions', 'dead_letters'];

/** Says what is about to be seen. */
export function introduce(timeline: Timeline): void {
  timeline.block(INTRODUCTION);
}

/** Asks ClickHouse, through the store, what it knows of the attacks of this run, and tells it in four tables. */
export async function reportFromClickHouse(
  timeline: Timeline,
  { world, attacks }: { world: World; attacks: readonly AttackOutcome[] },
): Promise<void> {
  const { store } = world.worker;
  const asked = { iss: world.server.issuer, hashes: attacks.map(({ token_hash }) => token_hash) };
  const alerts = await store.query<{
    whose: string;
    detectors: string;
    risk: number;
    decision: string;
    recall: string;
  }>(
    `SELECT if(a.sub = '', a.client_id, concat(a.sub, ' at ', a.client_id)) AS whose,
            arrayStringConcat(a.detectors, ', ') AS detectors, round(a.risk, 2) AS risk,
            concat(a.decision_action, ' ', a.decision_handle) AS decision, r.state AS recall
       FROM (SELECT * FROM alerts FINAL WHERE iss = {iss:String}) AS a
       LEFT JOIN (SELECT alert_id, any(toString(state)) AS state FROM actions FINAL GROUP BY alert_id) AS r
         ON r.alert_id = a.alert_id
      ORDER BY a.time`,
    asked,
  );
  const uses = await store.query<Use>(
    `SELECT token_hash AS hash, country, network, concat('AS', toString(asn), ' ', as_org) AS operator, ua_family AS agent,
            countIf(status < 300) AS through, countIf(status = 401) AS refused
       FROM access_events FINAL WHERE token_hash IN {hashes:Array(String)}
      GROUP BY hash, country, network, operator, agent
      ORDER BY indexOf({hashes:Array(String)}, hash), min(time)`,
    asked,
  );
  // A dead token has no claims to log any more, so its last uses stand in the ledger under its hash alone.
  const recalls = await store.query<Recall>(
    `SELECT token_hash AS hash, any(state) AS state, sum(t.uses) AS uses,
            arrayStringConcat(arraySort(groupUniqArrayArray(t.countries)), ', ') AS countries,
            dateDiff('millisecond', min(recalled_at), max(recall_updated_at)) AS took
       FROM tokens AS t WHERE token_hash IN {hashes:Array(String)}
      GROUP BY hash ORDER BY indexOf({hashes:Array(String)}, hash)`,
    asked,
  );
  const [counts = {}] = await store.query<Record<string, number>>(
    `SELECT ${COUNTED.map((name) => `(SELECT count() FROM ${name} FINAL) AS ${name}`).join(', ')}`,
  );
  timeline.heading('What ClickHouse knows now');
  timeline.block(
    `\n${table(
      ['alert on the token of', 'detectors', 'risk', 'decision', 'recall'],
      alerts.map((row) => [
        row.whose,
        row.detectors,
        row.risk.toFixed(2),
        row.decision,
        row.recall || 'none',
      ]),
    )}`,
  );
  const number = (hash: string) => attacks.findIndex(({ token_hash }) => token_hash === hash) + 1;
  timeline.block(
    `\n${table(
      ['stolen token', 'used from', 'network', 'operator', 'user agent', 'let in', '401'],
      uses.map((row) => [
        `${number(row.hash)} ${row.hash.slice(0, 8)}…`,
        row.country,
        row.network,
        row.operator,
        row.agent,
        row.through,
        row.refused,
      ]),
    )}`,
  );
  timeline.block(
    `\n${table(
      ['stolen token', 'state', 'uses', 'countries', 'decision to proof, ms'],
      recalls.map((row) => [
        `${number(row.hash)} ${row.hash.slice(0, 8)}…`,
        row.state,
        row.uses,
        row.countries,
        row.took ?? 'none',
      ]),
    )}`,
  );
  timeline.block(`\n${table(COUNTED, [COUNTED.map((name) => counts[name] ?? 0)])}\n`);
  timeline.block('Places: IP Geolocation by DB-IP (https://db-ip.com), CC BY 4.0\n');
  timeline.say('result', 'clickhouse', `asked ClickHouse at ${store.endpoint.url}`, {
    alerts,
    uses,
    recalls,
    counts,
  });
}

interface Use {
  hash: string;
  country: string;
  network: string;
  operator: string;
  agent: string;
  through: number;
  refused: number;
}

interface Recall {
  hash: string;
  state: string;
  uses: number;
  countries: string;
  took: number | null;
}

/** Tells the verdict and what it rests on. */
export function reportVerdict(timeline: Timeline, verdict: Verdict, attacks: readonly AttackOutcome[]): void {
  const { stopped, touched, people, machines, tokens, alerted } = verdict;
  timeline.heading(verdict.ok ? 'Verdict: passed' : 'Verdict: FAILED');
  for (const [index, { title, stopped_after_s: seconds, through }] of attacks.entries()) {
    const end = seconds === null ? 'not stopped' : `locked out after ${seconds.toFixed(1)} s`;
    timeline.say('result', 'attack', `${index + 1} ${title}: ${end}, ${requests(through)} got through`);
  }
  timeline.say('result', 'stopped', `attacks stopped: ${stopped}/${attacks.length}`, { stopped });
  const checked = `${tokens} tokens asked about at the authorization server`;
  const told = alerted === 0 ? '' : `; ${alerted} alerted to a person, none of them touched`;
  const text = `honest people and machines touched: ${touched}/${people + machines} (${people} people, ${machines} machine clients; ${checked})${told}`;
  timeline.say('result', 'touched', text, { touched, people, machines, tokens, alerted });
  for (const problem of verdict.problems) timeline.say('result', 'problem', problem);
  timeline.say('result', 'verdict', verdict.ok ? 'passed' : 'failed', { ...verdict });
}

/** Says where everything is, for those who want to look around. */
export function invite(timeline: Timeline, { dataDir, world }: { dataDir: string; world: World }): void {
  const { apiUrl, gateway, server, worker } = world;
  const credentials = join(dataDir, 'api-tokens.json');
  timeline.heading('Still up, until Ctrl-C');
  timeline.block(`
  API                   ${apiUrl}/docs
  credentials           ${credentials}   (reader, operator, ingest; readable by you only)
  ClickHouse            ${worker.store.endpoint.url}
  gateway               ${gateway.url}
  authorization server  ${server.issuer}
  data                  ${dataDir}   (stays when you stop)

  curl -H "Authorization: Bearer $(jq -r .reader ${credentials})" ${apiUrl}/v1/alerts
  token-recall sql --data-dir ${dataDir} "SELECT summary FROM alerts FINAL ORDER BY time"
`);
  timeline.say('setup', 'serving', 'waiting for Ctrl-C', { api: apiUrl, gateway: gateway.url, credentials });
}
