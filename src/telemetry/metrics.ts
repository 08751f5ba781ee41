import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Creates the metrics of one worker in a registry of their own. Names follow the Prometheus conventions. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'token_recall_' });
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: T[] = []) =>
    new Counter({ name: `token_recall_${name}`, help, labelNames, registers });
  /** A gauge whose values are looked up whenever it is read. */
  const watched = <T extends string>(name: string, help: string, labelNames: T[] = []) => {
    let look: (gauge: Gauge<T>) => void = () => undefined;
    const gauge: Gauge<T> = new Gauge({
      name: `token_recall_${name}`,
      help,
      labelNames,
      registers,
      collect: () => look(gauge),
    });
    return {
      /** Has `by` set the values; it replaces who did before. */
      watch(by: (gauge: Gauge<T>) => void): void {
        look = by;
      },
    };
  };
  return {
    registry,
    received: counter('received_events_total', 'Records received, by source', ['source']),
    skipped: counter('skipped_events_total', 'Events not detected on: redelivered, or later than allowed', [
      'kind',
    ]),
    deadLetters: counter('dead_letters_total', 'Records refused, by error code', ['code']),
    findings: counter('findings_total', 'Findings, by detector', ['detector']),
    detectorErrors: counter('detector_errors_total', 'Events a detector failed on, by detector', [
      'detector',
    ]),
    decisions: counter('decisions_total', 'Decisions, by action and mode', ['action', 'mode']),
    receipts: counter('receipts_total', 'Answers to actions, by responder and state', ['responder', 'state']),
    retries: counter('retries_total', 'Attempts that will be repeated, by stage', ['stage']),
    alertsSent: counter('alerts_sent_total', 'Alerts delivered, by sink and outcome', ['sink', 'outcome']),
    unfulfilledRecalls: counter(
      'unfulfilled_recalls_total',
      'Recalls that killed no token, by issuer and state: failed, or moot because the token expired first',
      ['issuer', 'state'],
    ),
    responderAttempts: counter(
      'responder_attempts_total',
      'Revocations asked of an authorization server, by issuer and outcome; pending: will be asked again',
      ['issuer', 'outcome'],
    ),
    responderCircuitOpen: watched(
      'responder_circuit_open',
      '1 while an authorization server that fails is left alone, by issuer; else 0',
      ['issuer'],
    ),
    outboxPending: watched('outbox_pending', 'Actions that wait for an answer'),
    outboxOldest: watched(
      'outbox_oldest_pending_seconds',
      'Age of the oldest recall that waits for an answer; 0 where none does',
    ),
    eventLag: new Histogram({
      name: 'token_recall_event_lag_seconds',
      help: 'From event time to the end of the batch that carried the event',
      buckets: [0.1, 0.5, 1, 2, 5, 15, 60, 300, 1800, 7200],
      registers,
    }),
    keys: new Gauge({
      name: 'token_recall_state_keys',
      help: 'States held in memory, by detector',
      labelNames: ['detector'],
      registers,
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
