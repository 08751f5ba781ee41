import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tokenHash } from '../../src/formats/hash.ts';
import type { Complaints } from './check-events.ts';
import type { StoreProcess } from './store.ts';
import type { Label } from './stream.ts';

/** What an alert comes to: two runs on the same events must agree on it. */
interface View {
  readonly decision: string;
  readonly detectors: string;
  /** Tokens that its findings accuse. */
  readonly tokens: string;
}

/** What a run decided. */
export interface Verdicts {
  /** By alert id, those that are more than recorded. */
  readonly alerts: ReadonlyMap<string, View>;
  /** Values of the recalls, by action id. */
  readonly recalls: ReadonlyMap<string, string>;
}

interface Claim {
  detector: string;
  confidence: number;
  token_hash?: string;
}

const list = (names: readonly string[]) => [...new Set(names)].sort().join(' ');

function viewOf(decision: string, claims: readonly Claim[]): View {
  // What was withdrawn is no claim any more.
  const standing = claims.filter(({ confidence }) => confidence > 0);
  return {
    decision,
    detectors: list(standing.map(({ detector }) => detector)),
    tokens: list(standing.flatMap(({ token_hash }) => token_hash ?? [])),
  };
}

/** What the workers on a store decided. */
export async function verdictsOf({ client }: StoreProcess): Promise<Verdicts> {
  const alerts = await client.query<{ alert_id: string; decision: string; findings: string }>(
    `SELECT alert_id, concat(decision_action, ' ', decision_handle, ' ', decision_value) AS decision, findings
     FROM alerts FINAL WHERE decision_action != 'record'`,
  );
  const actions = await client.query<{ action_id: string; value: string }>(
    `SELECT action_id, value FROM actions FINAL WHERE requested_by = 'policy'`,
  );
  return {
    alerts: new Map(
      alerts.map(({ alert_id, decision, findings }) => [
        alert_id,
        viewOf(decision, JSON.parse(findings) as Claim[]),
      ]),
    ),
    recalls: new Map(actions.map(({ action_id, value }) => [action_id, value])),
  };
}

/** What a backtest decided, from the folder of its results. Its alerts name no token of a finding. */
export async function verdictsOfBacktest(out: string): Promise<Verdicts> {
  const text = await readFile(join(out, 'alerts.ndjson'), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  const alerts = lines.map((line) => {
    const alert = JSON.parse(line) as {
      alert_id: string;
      findings: Claim[];
      decision: { action: string; handle: string; value: string };
    };
    const { action, handle, value } = alert.decision;
    return [alert.alert_id, viewOf(`${action} ${handle} ${value}`, alert.findings)] as const;
  });
  return { alerts: new Map(alerts), recalls: new Map() };
}

/** Where two runs on the same events differ. */
export function compareAlerts(
  found: Verdicts,
  expected: Verdicts,
  names: { expected: string; tokens: boolean },
): Complaints {
  const complaints: Complaints = [];
  for (const [id, view] of expected.alerts) {
    const other = found.alerts.get(id);
    if (other === undefined) {
      complaints.push(
        `alert ${id} of the ${names.expected} is missing: ${view.decision} (${view.detectors})`,
      );
      continue;
    }
    for (const field of ['decision', 'detectors', ...(names.tokens ? (['tokens'] as const) : [])] as const) {
      if (other[field] === view[field]) continue;
      complaints.push(`alert ${id}: ${field} ${other[field]}, in the ${names.expected} ${view[field]}`);
    }
  }
  for (const [id, { decision, detectors }] of found.alerts) {
    if (expected.alerts.has(id)) continue;
    complaints.push(`alert ${id} is not in the ${names.expected}: ${decision} (${detectors})`);
  }
  return complaints;
}

/** Where the recalls of two runs differ. */
export function compareRecalls(found: Verdicts, expected: Verdicts): Complaints {
  const missing = [...expected.recalls.keys()].filter((id) => !found.recalls.has(id));
  const added = [...found.recalls.keys()].filter((id) => !expected.recalls.has(id));
  return [
    ...missing.map((id) => `recall ${id} of the undisturbed run is missing`),
    ...added.map((id) => `recall ${id} is not in the undisturbed run`),
  ];
}

/** Whether all that was stolen was found, and nothing else recalled. */
export function checkLabels({ alerts, recalls }: Verdicts, labels: readonly Label[]): Complaints {
  const revoked = new Set(recalls.values());
  const decided = new Set([...alerts.values()].map(({ decision }) => decision));
  const stolen = new Set(labels.flatMap(({ accused }) => accused.map(tokenHash)));
  const missed = labels.filter(({ accused }) => !accused.every((token) => revoked.has(tokenHash(token))));
  const unheard = labels.filter(
    ({ accused }) => !accused.some((token) => decided.has(`revoke token ${tokenHash(token)}`)),
  );
  const wrong = [...revoked].filter((value) => !stolen.has(value));
  return [
    ...missed.map(({ sub, kind }) => `${kind} of ${sub}: a token was not recalled`),
    ...unheard.map(({ sub, kind }) => `${kind} of ${sub}: no alert says revoke`),
    ...wrong.map((value) => `token ${value} was recalled, and nobody misused it`),
  ];
}
