import type { Action } from '../../schemas/action.ts';
import type { Alert } from '../../schemas/alert.ts';
import { messageOf } from '../errors.ts';
import { digest } from '../formats/hash.ts';
import { summaryOf, type RecallTarget } from '../policy/decide.ts';
import type { RevocationResponder } from '../response/responder.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Verdicts } from './engine.ts';

export interface ActionsOptions {
  responder: Pick<RevocationResponder, 'lookUp'>;
  log: Logger;
}

/**
 * Creates the function that makes actions of what policy wants recalled. Where something is missing to carry one out,
 * its alert says so instead, and the next finding asks again.
 */
export function createActions({ responder, log }: ActionsOptions) {
  /** What is missing; nothing, where that cannot be found out: then the outbox will, and say so in the receipt. */
  async function lookUp({ value, finding: { iss, client_id } }: RecallTarget) {
    try {
      return await responder.lookUp({ iss, client_id, id: value });
    } catch (error) {
      log.warn(`looking up a token to be recalled: ${messageOf(error)}`);
      return { missing: [] };
    }
  }

  /** @param now when it was decided, epoch milliseconds */
  return async function actionsOf(
    recalls: Verdicts['recalls'],
    partition: string,
    now: number,
  ): Promise<Action[]> {
    const actions: Action[] = [];
    for (const { alert, target } of recalls) {
      const { missing, expires_at } = await lookUp(target);
      if (missing.length > 0) {
        if (alert.decision.value !== target.value) continue;
        alert.decision.missing = missing;
        alert.summary = summaryOf(alert.findings, alert.decision);
        continue;
      }
      target.settle();
      if (target.mode === 'enforce') actions.push(actionFor(alert, target, { partition, now, expires_at }));
    }
    return actions;
  };
}

/** The action that carries out the recall of one token. */
function actionFor(
  alert: Alert,
  target: RecallTarget,
  about: { partition: string; now: number; expires_at: number | undefined },
): Action {
  const { iss, sub, client_id, sid, token_hash } = target.finding;
  const { partition, now, expires_at } = about;
  return {
    action_id: digest('action', alert.alert_id, 'token', target.value),
    alert_id: alert.alert_id,
    requested_by: 'policy',
    requested_at: now,
    responder: 'rfc7009',
    handle: 'token',
    value: target.value,
    ...{ iss, sub, client_id, sid, token_hash, partition, expires_at },
    event_time: target.time,
    mode: target.mode,
    state: 'pending',
    attempts: 0,
    reason: target.reason,
    detail: 'waits for the responder',
    updated_at: now,
  };
}
