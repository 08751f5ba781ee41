import type { Action } from '../../schemas/action.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { AttackOutcome } from './attacks.ts';
import { concerning } from './narrator.ts';

/** What happened, as the attackers, the worker and the authorization server each told it. */
export interface Facts {
  attacks: readonly AttackOutcome[];
  alerts: readonly Alert[];
  receipts: readonly Action[];
  /** Honest holders, each with what introspection said of its token at the end and the 401s it met. */
  honest: readonly Holder[];
  /** Alerts that the generated history alone led to. */
  historyAlerts: number;
  /** Whatever else went wrong, in words. */
  failures: readonly string[];
}

/** One token in honest hands at the end. */
export interface Holder {
  /** The session: `user-07's phone`. */
  who: string;
  /** The person or machine. */
  owner: string;
  machine: boolean;
  token_hash: string;
  active: boolean;
  refusals: number;
}

export interface Verdict {
  ok: boolean;
  stopped: number;
  /** People and machines that lost a token without having been attacked, or were to lose one. */
  touched: number;
  people: number;
  machines: number;
  /** Tokens in honest hands at the end. */
  tokens: number;
  /** Honest holders that an alert told a person about, without touching them. */
  alerted: number;
  /** Why `ok` is false, in words. */
  problems: string[];
}

/**
 * Judges a demo: every attacker met its 401 and the recall is proven; no honest token was revoked, decided to be
 * revoked, or refused.
 */
export function judge(facts: Facts): Verdict {
  const problems = [...facts.failures];
  let stopped = 0;
  for (const attack of facts.attacks) {
    const { receipts } = concerning(attack.token_hash, facts);
    const confirmed = receipts.some(({ state }) => state === 'confirmed');
    if (attack.stopped_after_s !== null && confirmed) stopped += 1;
    else if (attack.stopped_after_s === null) problems.push(`not stopped: ${attack.title}`);
    else problems.push(`stopped, but the recall was never proven: ${attack.title}`);
  }
  const touched = new Set<string>();
  let alerted = 0;
  for (const holder of facts.honest) {
    const { alerts, receipts } = concerning(holder.token_hash, facts);
    const because = [
      ...(holder.active ? [] : ['its token is dead']),
      ...(holder.refusals === 0 ? [] : [`it was refused ${holder.refusals} times`]),
      ...(receipts.length === 0 ? [] : ['its token was to be recalled']),
      ...(alerts.some(
        (alert) => alert.decision.action === 'revoke' && alert.decision.value === holder.token_hash,
      )
        ? ['the decision was to revoke its token']
        : []),
    ];
    if (because.length > 0) {
      touched.add(holder.owner);
      problems.push(`${holder.who} was touched: ${because.join(', ')}`);
    } else if (alerts.some((alert) => alert.decision.action !== 'record')) alerted += 1;
  }
  if (facts.historyAlerts > 0)
    problems.push(`${facts.historyAlerts} alerts on two weeks of ordinary history`);
  const ownersOf = (machine: boolean) =>
    new Set(facts.honest.filter((holder) => holder.machine === machine).map(({ owner }) => owner)).size;
  return {
    ok: problems.length === 0,
    stopped,
    touched: touched.size,
    people: ownersOf(false),
    machines: ownersOf(true),
    tokens: facts.honest.length,
    alerted,
    problems,
  };
}
