import { randomUUID } from 'node:crypto';
import type { Action } from '../../schemas/action.ts';
import type { RecallRequest } from '../api/deps.ts';
import { RecallError } from '../errors.ts';
import { digest } from '../formats/hash.ts';
import type { Outbox } from '../response/outbox.ts';
import type { RevocationResponder } from '../response/responder.ts';
import type { Store } from '../store/port.ts';
import type { Reads } from '../store/reads.ts';

export interface RecallDeskOptions {
  reads: Pick<Reads, 'sealedToken'>;
  store: Pick<Store, 'write'>;
  responder: Pick<RevocationResponder, 'kind' | 'lookUp'>;
  outbox: Pick<Outbox, 'submit'>;
  /** A state partition of this worker: whoever has it after a crash carries the recall out. */
  partition: () => string;
}

/**
 * Creates the function that takes a recall asked for by a person: durable first, then carried out.
 *
 * @throws RecallError ERR_RESPONDER_REFUSED, naming what is missing to carry it out
 */
export function createRecallDesk({ reads, store, responder, outbox, partition }: RecallDeskOptions) {
  return async function requestRecall(request: RecallRequest, actor: string): Promise<Action> {
    const known = await reads.sealedToken(request.value);
    const { iss, sub, client_id, sid, token_hash } = known ?? {};
    const { missing, expires_at } = await responder.lookUp({
      iss,
      client_id,
      id: token_hash ?? request.value,
    });
    if (missing.length > 0) {
      throw new RecallError('ERR_RESPONDER_REFUSED', `this token cannot be recalled: ${missing.join('; ')}`);
    }
    const now = Date.now();
    const action: Action = {
      action_id: digest('action', actor, 'token', request.value, randomUUID()),
      alert_id: request.alert_id,
      requested_by: actor,
      requested_at: now,
      responder: responder.kind,
      handle: request.handle,
      value: request.value,
      ...{ iss, sub, client_id, sid, token_hash, expires_at },
      partition: partition(),
      event_time: known?.first_seen ?? now,
      mode: 'enforce',
      state: 'pending',
      attempts: 0,
      reason: request.reason,
      detail: 'waits for the responder',
      updated_at: now,
    };
    await store.write({
      actions: [action],
      audit: [
        {
          at: now,
          actor,
          action: 'recall.request',
          target: `token ${request.value}`,
          outcome: 'accepted',
          detail: request.reason,
        },
      ],
    });
    outbox.submit([action], 'decided');
    return action;
  };
}
