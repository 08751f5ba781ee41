import { hash } from 'node:crypto';
import type { Action } from '../../schemas/action.ts';
import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';
import type { DeadLetter } from '../../schemas/dead-letter.ts';
import type { Finding } from '../../schemas/finding.ts';
import { isRecallError, messageOf } from '../errors.ts';
import { decodeRecord } from '../formats/decode.ts';
import { digest } from '../formats/hash.ts';
import { maskTokens } from '../formats/mask.ts';
import { summaryOf, type RecallTarget } from '../policy/decide.ts';
import type { Custody } from '../response/custody.ts';
import type { RevocationTarget } from '../response/responder.ts';
import type { BatchHandler, SourceBatch, SourceRecord } from '../sources/port.ts';
import type { Arrival, SealedToken, Store, StoreBatch } from '../store/port.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Engine } from './engine.ts';
import { withRetry } from './retry.ts';

/** Longest piece of a refused record that is kept readable. */
const EXCERPT = 2048;
/** Largest refused record that is kept whole, sealed. */
const SEALED = 65_536;

export interface ProcessorOptions {
  engine: Engine;
  store: Store;
  custody: Custody;
  metrics: Metrics;
  log: Logger;
  signal: AbortSignal;
  maxFuture: number;
  /** What would be missing to revoke the token, in words. */
  missingFor(target: {
    iss?: string | undefined;
    client_id?: string | undefined;
    id: string;
  }): Promise<string[]>;
  /** Called when a batch is durable, with what it led to. */
  onDurable(result: {
    findings: readonly Finding[];
    alerts: readonly Alert[];
    actions: readonly Action[];
  }): void;
}

interface Decoded {
  access: { event: EnrichedAccessEvent; arrival: Arrival }[];
  authorization: { event: AuthorizationEvent; arrival: Arrival }[];
  custody: SealedToken[];
  deadLetters: DeadLetter[];
}

/**
 * The road of a batch: decode, enrich, detect, decide, make durable, act.
 * Nothing acts before it is durable, and the batch is acknowledged only then.
 */
export function createProcessor(options: ProcessorOptions): BatchHandler {
  const { engine, store, custody, metrics } = options;

  function deadLetter(
    batch: SourceBatch,
    record: SourceRecord,
    code: string,
    reason: string,
    now: number,
  ): DeadLetter {
    metrics.deadLetters.inc({ code });
    const size = record.refused?.size ?? record.bytes.byteLength;
    const keep = custody.available && record.bytes.byteLength <= SEALED && record.refused === undefined;
    return {
      dead_letter_id: digest(
        'dead-letter',
        batch.source,
        record.position,
        hash('sha256', record.bytes, 'hex'),
      ),
      received_at: now,
      source: batch.source,
      position: record.position,
      stream: batch.stream,
      step: record.refused === undefined ? 'decode' : 'receive',
      code,
      reason,
      size,
      excerpt: maskTokens(record.bytes, EXCERPT),
      sealed: keep ? custody.sealBytes(record.bytes) : '',
    };
  }

  function decode(batch: SourceBatch, now: number): Decoded {
    const decoded: Decoded = { access: [], authorization: [], custody: [], deadLetters: [] };
    for (const record of batch.records) {
      if (record.refused !== undefined) {
        const { code, reason } = record.refused;
        decoded.deadLetters.push(deadLetter(batch, record, code, reason, now));
        continue;
      }
      const { stream, format } = batch;
      const result = decodeRecord(record, { stream, format, now, maxFuture: options.maxFuture });
      if (!result.ok) {
        decoded.deadLetters.push(deadLetter(batch, record, result.code, result.reason, now));
        continue;
      }
      const arrival = { source: batch.source, position: record.position, received_at: now };
      if (result.event.kind === 'authorization') {
        decoded.authorization.push({ event: result.event, arrival });
        continue;
      }
      const sealed = result.token === undefined ? null : custody.seal(result.token, result.event);
      if (sealed !== null) decoded.custody.push(sealed);
      decoded.access.push({ event: engine.enrich(result.event), arrival });
    }
    return decoded;
  }

  /** What is missing; nothing, where that cannot be found out: then the outbox will, and say so in the receipt. */
  async function missingFor(target: RevocationTarget): Promise<string[]> {
    try {
      return await options.missingFor(target);
    } catch (error) {
      options.log.warn(`looking up a token to be recalled: ${messageOf(error)}`);
      return [];
    }
  }

  /** Adds to decisions to revoke what is missing to carry them out, and makes actions of those that can be. */
  async function actionsOf(
    recalls: readonly { alert: Alert; target: RecallTarget }[],
    now: number,
  ): Promise<Action[]> {
    const actions: Action[] = [];
    for (const { alert, target } of recalls) {
      const { iss, client_id } = target.finding;
      const missing = await missingFor({ iss, client_id, id: target.value });
      if (missing.length > 0) {
        if (alert.decision.value !== target.value) continue;
        alert.decision.missing = missing;
        alert.summary = summaryOf(alert.findings, alert.decision);
        continue;
      }
      target.settle();
      if (target.mode === 'enforce') actions.push(actionFor(alert, target, now));
    }
    return actions;
  }

  /**
   * Detection has seen the batch, and would take a second look at it for repeats: so it is the write that is
   * tried again, not the batch. While it waits the source waits too, which is the back-pressure.
   */
  const write = (rows: StoreBatch, source: string) =>
    withRetry(() => store.write(rows), {
      what: `writing a batch of ${source}`,
      log: options.log,
      signal: options.signal,
      onRetry: () => metrics.retries.inc({ stage: 'store' }),
    });

  let turn: Promise<Action[]> = Promise.resolve([]);

  return async function processBatch(batch) {
    const now = Date.now();
    metrics.received.inc({ source: batch.source }, batch.records.length);
    const decoded = decode(batch, now);
    const events = [...decoded.authorization, ...decoded.access].map(({ event }) => event);
    const { findings, alerts, recalls } = engine.evaluate(events, now);
    // In the order of evaluation, so that no older version of an alert is written after a newer one.
    const actions = await (turn = turn.then(() => actionsOf(recalls, now)));
    for (const { detector } of findings) metrics.findings.inc({ detector });
    for (const { decision } of alerts)
      metrics.decisions.inc({ action: decision.action, mode: decision.mode });

    const verdicts: StoreBatch = { custody: decoded.custody, findings, alerts, actions };
    const rows: StoreBatch = {
      ...verdicts,
      access_events: decoded.access,
      authorization_events: decoded.authorization,
      dead_letters: decoded.deadLetters,
    };
    try {
      await write(rows, batch.source);
    } catch (error) {
      // The batch will come again and be taken for a repeat: what it led to must not be lost with it.
      if (!isRecallError(error, 'ERR_STORE_REFUSED')) throw error;
      await write(verdicts, batch.source);
      options.onDurable({ findings, alerts, actions });
      throw error;
    }
    for (const { event } of decoded.access) metrics.eventLag.observe((Date.now() - event.time) / 1000);
    options.onDurable({ findings, alerts, actions });
    return { accepted: events.length, deadLetters: decoded.deadLetters.length, letters: decoded.deadLetters };
  };
}

/** The action that carries out the recall of one token. */
function actionFor(alert: Alert, target: RecallTarget, now: number): Action {
  const { iss, sub, client_id, sid, token_hash } = target.finding;
  return {
    action_id: digest('action', alert.alert_id, 'token', target.value),
    alert_id: alert.alert_id,
    requested_by: 'policy',
    requested_at: now,
    responder: 'rfc7009',
    handle: 'token',
    value: target.value,
    ...{ iss, sub, client_id, sid, token_hash },
    event_time: target.time,
    mode: target.mode,
    state: 'pending',
    attempts: 0,
    reason: target.reason,
    detail: 'waits for the responder',
    updated_at: now,
  };
}
