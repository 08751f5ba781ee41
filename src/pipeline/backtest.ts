import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { AccessEvent } from '../../schemas/access-event.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';
import type { Config } from '../../schemas/config.ts';
import type { Finding } from '../../schemas/finding.ts';
import { toAlertLine, toDecisionLine, toFindingLine } from '../alerts/line.ts';
import type { ConfiguredDetector } from '../detection/configure.ts';
import { createEnricher } from '../enrich/enricher.ts';
import { messageOf, RecallError } from '../errors.ts';
import { decodeRecord } from '../formats/decode.ts';
import type { Stream } from '../sources/port.ts';
import { createSource } from '../sources/registry.ts';
import type { Logger } from '../telemetry/log.ts';
import { createPolicy } from '../policy/decide.ts';
import { createEngine } from './engine.ts';
import { batchesOf, mergeByTime } from './merge.ts';
import { isLate } from './progress.ts';
import { shadowDetectorsOf } from './road.ts';

export interface BacktestOptions {
  /** Access log: one event a line. */
  input: string;
  authorizationEvents?: string | undefined;
  format: string;
  /** Folder for the results; made where it does not exist. */
  out: string;
  config: Config;
  detectors: readonly ConfiguredDetector[];
  log: Logger;
  signal: AbortSignal;
  /** Is told how much of the access log is done, in events and bytes. */
  onProgress?(events: number, bytes: number): void;
}

/** The content of summary.json. */
export interface BacktestSummary {
  events: number;
  authorization_events: number;
  /** Events that came later than the allowed lateness, and so were held against nothing. */
  late_events: number;
  dead_letters: number;
  /** By error code: how many, and the first one in words. */
  dead_letter_reasons: Record<string, { count: number; first: string }>;
  findings: Record<string, number>;
  detector_errors: number;
  alerts: number;
  /** Distinct tokens whose revocation would be asked for. */
  revocations: number;
  decisions: Record<string, number>;
  seconds: number;
  events_per_second: number;
}

const FLUSH_BYTES = 1 << 20;
/** Events between two looks at how much state memory holds. */
const SETTLE_EVERY = 10_000;

/** Writes lines to a file in large pieces. Synchronous: a backtest has nothing else to do meanwhile. */
function createLineWriter(path: string) {
  const file = openSync(path, 'w');
  let pending = '';
  const flush = () => {
    if (pending !== '') writeSync(file, pending);
    pending = '';
  };
  return {
    write(value: unknown): void {
      pending += `${JSON.stringify(value)}\n`;
      if (pending.length > FLUSH_BYTES) flush();
    },
    close(): void {
      flush();
      closeSync(file);
    },
  };
}

const byTimeThenId = (a: Alert, b: Alert) => a.time - b.time || (a.alert_id < b.alert_id ? -1 : 1);

/**
 * Runs logs through the very code of production, in event time and without side effects, and writes
 * `alerts.ndjson`, `decisions.ndjson`, `findings.ndjson` and, when all is done, `summary.json` to `out`.
 * A `summary.json` of an earlier run is removed first.
 *
 * @throws RecallError ERR_SOURCE_READ where a file can't be read, ERR_CONFIG_INVALID for an unknown format,
 *   ERR_USAGE where `out` can't be written; the reason of `signal` where it aborts
 */
export async function runBacktest(options: BacktestOptions): Promise<BacktestSummary> {
  const { config, detectors, log, signal } = options;
  const started = process.hrtime.bigint();
  const enricher = await createEnricher(config.enrich, log);
  let detectorErrors = 0;
  const { allowed_lateness, max_keys } = config.detection;
  const engine = createEngine({
    detectors,
    policy: createPolicy(config.policy, { shadowDetectors: shadowDetectorsOf(detectors) }),
    allowedLateness: allowed_lateness,
    onError: (detector, event, error) => {
      detectorErrors += 1;
      log.error({ detector, event_id: event.event_id }, `detector failed on an event: ${messageOf(error)}`);
    },
  });
  const watermarks: Record<string, number> = {};
  const reasons: BacktestSummary['dead_letter_reasons'] = {};
  let bytes = 0;

  async function* events(path: string, stream: Stream, format: string) {
    const source = createSource(
      { kind: 'file', path, follow: false, stream, format },
      { log, maxLine: config.max_line },
    );
    const context = { stream, format, now: undefined, maxFuture: 0 };
    for await (const batch of batchesOf(source, signal)) {
      for (const record of batch.records) {
        if (stream === 'access') bytes += (record.refused?.size ?? record.bytes.byteLength) + 1;
        const decoded = record.refused
          ? { ok: false as const, code: record.refused.code, reason: record.refused.reason }
          : decodeRecord(record, context);
        if (decoded.ok) {
          yield decoded.event;
          continue;
        }
        const known = (reasons[decoded.code] ??= {
          count: 0,
          first: `${path} ${record.position}: ${decoded.reason}`,
        });
        known.count += 1;
      }
    }
  }

  async function* none(): AsyncGenerator<AccessEvent | AuthorizationEvent, void, undefined> {
    // No authorization log was given.
  }

  const summaryPath = join(options.out, 'summary.json');
  makeFolder(options.out, summaryPath);
  const output = {
    findings: createLineWriter(join(options.out, 'findings.ndjson')),
    decisions: createLineWriter(join(options.out, 'decisions.ndjson')),
    alerts: createLineWriter(join(options.out, 'alerts.ndjson')),
  };
  const alerts = new Map<string, Alert>();
  const counts = { events: 0, authorization: 0, late: 0, revocations: 0 };
  const findings: Record<string, number> = {};
  function conclude(found: readonly Finding[], now: number): void {
    for (const finding of found) {
      findings[finding.detector] = (findings[finding.detector] ?? 0) + 1;
      output.findings.write(toFindingLine(finding));
    }
    const verdicts = engine.decide(found, now);
    for (const decided of verdicts.decisions) output.decisions.write(toDecisionLine(decided));
    for (const alert of verdicts.alerts) alerts.set(alert.alert_id, alert);
    for (const { target } of verdicts.recalls) target.settle();
    counts.revocations += verdicts.recalls.length;
  }
  try {
    const authorization =
      options.authorizationEvents === undefined
        ? none()
        : events(options.authorizationEvents, 'authorization', 'canonical');
    for await (const event of mergeByTime(authorization, events(options.input, 'access', options.format))) {
      if (event.kind === 'authorization') counts.authorization += 1;
      else counts.events += 1;
      if (isLate(watermarks, event.kind, event.time, allowed_lateness)) counts.late += 1;
      else {
        const enriched = event.kind === 'access' ? enricher.enrich(event) : event;
        engine.complete([enriched]);
        conclude(engine.detect([enriched]), event.time);
      }
      if (counts.events % SETTLE_EVERY === 0) engine.settle(max_keys);
      if (counts.events % 10_000 === 0) options.onProgress?.(counts.events, bytes);
    }
    // The sources end quietly then: what was read so far is no result.
    signal.throwIfAborted();
    // Nothing more will come: all that is known is complete.
    conclude(engine.review(Infinity), Math.max(0, ...Object.values(watermarks)));
    for (const alert of [...alerts.values()].sort(byTimeThenId)) {
      if (alert.decision.action !== 'record') output.alerts.write(toAlertLine(alert));
    }
  } finally {
    for (const writer of Object.values(output)) writer.close();
    enricher.close();
  }
  options.onProgress?.(counts.events, bytes);

  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const decisions: Record<string, number> = {};
  for (const { decision } of alerts.values())
    decisions[decision.action] = (decisions[decision.action] ?? 0) + 1;
  const summary: BacktestSummary = {
    events: counts.events,
    authorization_events: counts.authorization,
    late_events: counts.late,
    dead_letters: Object.values(reasons).reduce((sum, { count }) => sum + count, 0),
    dead_letter_reasons: reasons,
    findings,
    detector_errors: detectorErrors,
    alerts: [...alerts.values()].filter(({ decision }) => decision.action !== 'record').length,
    revocations: counts.revocations,
    decisions,
    seconds: Math.round(seconds * 100) / 100,
    events_per_second: Math.round(counts.events / seconds),
  };
  writeFileSync(summaryPath, `${JSON.stringify(summary, null, 2)}\n`);
  return summary;
}

/** Makes the folder of the results, in which no summary may stand before they are complete. */
function makeFolder(path: string, summaryPath: string): void {
  try {
    mkdirSync(path, { recursive: true });
    rmSync(summaryPath, { force: true });
  } catch (error) {
    throw new RecallError('ERR_USAGE', `--out ${path}: ${messageOf(error)}`, { cause: error });
  }
}
