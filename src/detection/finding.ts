import type { Finding } from '../../schemas/finding.ts';
import { digest } from '../formats/hash.ts';
import type { FindingDraft } from './contract.ts';

/**
 * Completes a draft. The id is a function of detector, claim, suspect use and token, so it is the same whichever event
 * arrived last; the time is that of the latest use the claim rests on, which is the event that completed it.
 */
export function completeFinding(detector: string, draft: FindingDraft): Finding {
  const { suspect, kind } = draft;
  const target = suspect.jti ?? suspect.token_hash ?? suspect.sid ?? suspect.sub ?? suspect.client_id ?? '';
  let last: { time: number; event_id: string } = suspect;
  for (const use of draft.evidence) {
    if (use.time > last.time || (use.time === last.time && use.event_id > last.event_id)) last = use;
  }
  return {
    finding_id: digest('finding', detector, kind, suspect.event_id, suspect.iss ?? '', target),
    detector,
    time: last.time,
    event_id: last.event_id,
    confidence: draft.confidence,
    conclusive: draft.conclusive ?? false,
    signals: [...draft.signals],
    reason: draft.reason,
    measures: { claim: kind, suspect_event: suspect.event_id, ...draft.measures },
    evidence: [...draft.evidence],
    ...(suspect.iss !== undefined && { iss: suspect.iss }),
    ...(suspect.sub !== undefined && { sub: suspect.sub }),
    ...(suspect.client_id !== undefined && { client_id: suspect.client_id }),
    ...(suspect.sid !== undefined && { sid: suspect.sid }),
    ...(suspect.jti !== undefined && { jti: suspect.jti }),
    ...(suspect.token_hash !== undefined && { token_hash: suspect.token_hash }),
  };
}
