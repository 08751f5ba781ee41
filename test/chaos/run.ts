import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKafka } from '../support/kafka.ts';
import { startAuthorizationServerProcess } from './authorization-server.ts';
import { backtestVerdicts } from './backtest.ts';
import { createCast, tokenRequests } from './cast.ts';
import { checkLabels, compareAlerts, compareRecalls, verdictsOf, type Verdicts } from './check-alerts.ts';
import { checkEvents, type Complaints, type Repeats } from './check-events.ts';
import { checkRecalls } from './check-recalls.ts';
import { checkSecrets, kafkaFolders } from './check-secrets.ts';
import { inOrder, shuffled } from './delivery.ts';
import { createFaults, type Done } from './faults.ts';
import { feed } from './feed.ts';
import { hostingAddresses } from './hosting.ts';
import { openLagMeter } from './lag.ts';
import type { ChaosOptions } from './options.ts';
import { planFaults } from './plan.ts';
import { openRoad, type Closer, type Parts } from './road.ts';
import { newSecrets } from './settings.ts';
import { createBrake, settled } from './settle.ts';
import { buildStream, type LabelledStream } from './stream.ts';

export type RunOptions = Pick<
  ChaosOptions,
  'seed' | 'events' | 'workers' | 'road' | 'rate' | 'faults' | 'keep'
>;

/** What a run came to. */
export interface RunReport {
  readonly seed: number;
  /** Events of both logs, each to be stored once. */
  events: number;
  /** Records fed: repeats and refused ones among them. */
  delivered: number;
  faults: number;
  kills: number;
  /** Times a worker was started again because it could not reach what it needs. */
  restarts: number;
  /** Rows that a merge would collapse. */
  repeats: Repeats;
  /** Counters of the workers' metrics. */
  counters: Readonly<Record<string, number>>;
  thefts: number;
  alerts: number;
  confirmed: number;
  /** Tokens dead at the server whose receipt does not claim the proof. */
  accepted: number;
  /** Bytes searched for raw tokens. */
  searched: number;
  seconds: { disturbed: number; undisturbed: number; all: number };
  done: readonly Done[];
  complaints: Complaints;
  /** Where data and logs are, if they were kept. */
  folder: string | null;
}

/** One step of a run; what it complains of goes to the report under the name of the step. */
interface Steps {
  readonly report: RunReport;
  readonly closers: Closer[];
  readonly note: (where: string, complaints: Complaints) => void;
  readonly tell: (text: string) => void;
}

/** Share of the stream that workers may be behind the feeding. */
const MOST_BEHIND = 0.1;
/** The last event is this old when the feeding begins, ms: no event comes from the future. */
const AGE = 5_000;

/**
 * One run: the stream on a bad day, then undisturbed, then as a backtest; and whether all three agree. Never throws:
 * what keeps it from going on is a complaint too.
 */
export async function runOnce(options: RunOptions, tell: (text: string) => void): Promise<RunReport> {
  const began = Date.now();
  const folder = await mkdtemp(join(tmpdir(), `token-recall-chaos-${options.seed}-`));
  const report = emptyReport(options.seed);
  const closers: Closer[] = [];
  const note = (where: string, found: Complaints) =>
    report.complaints.push(...found.map((one) => `${where}: ${one}`));
  const steps: Steps = { report, closers, note, tell };
  const failed = () => report.complaints.length > 0;
  try {
    await throughAll(options, folder, steps);
  } catch (error) {
    note('run', [error instanceof Error ? (error.stack ?? error.message) : String(error)]);
  }
  for (const close of closers.reverse()) {
    await close(failed()).catch((error: unknown) => note('end', [String(error)]));
  }
  report.seconds.all = (Date.now() - began) / 1000;
  if (failed() || options.keep) report.folder = folder;
  else await rm(folder, { recursive: true, force: true });
  return report;
}

function emptyReport(seed: number): RunReport {
  const counts = { events: 0, delivered: 0, faults: 0, kills: 0, restarts: 0 };
  const found = { thefts: 0, alerts: 0, confirmed: 0, accepted: 0, searched: 0 };
  return {
    ...{ seed, ...counts, ...found },
    repeats: { access_events: 0, authorization_events: 0 },
    counters: {},
    seconds: { disturbed: 0, undisturbed: 0, all: 0 },
    done: [],
    complaints: [],
    folder: null,
  };
}

/** Starts what a run needs, and takes the stream through it three times. */
async function throughAll(options: RunOptions, folder: string, steps: Steps): Promise<void> {
  const { seed, events } = options;
  const { closers, report, note, tell } = steps;
  const secrets = newSecrets();
  const kafka = await startKafka();
  const [kafkaData = ''] = await kafkaFolders(kafka.brokers);
  closers.push(async (failed) => {
    if (failed) await copyFile(join(kafkaData, '..', 'broker.log'), join(folder, 'kafka.log'));
    await kafka.stop();
  });
  const authorizationServer = await startAuthorizationServerProcess(secrets.clients);
  closers.push(() => authorizationServer.stop());
  const parts: Parts = { folder, kafka, authorizationServer, secrets };

  tell('issuing tokens');
  const cast = createCast(seed, events);
  const issued = await authorizationServer.issue(tokenRequests(cast));
  const stream = buildStream({
    ...{ seed, events, cast, issued, hosts: await hostingAddresses() },
    issuer: authorizationServer.issuer,
    end: Date.now() - AGE,
  });
  report.events = stream.records.filter(({ sort }) => sort !== 'refused').length;
  report.thefts = stream.labels.length;

  tell('disturbed run');
  const found = await disturbed(options, parts, stream, steps);
  tell('undisturbed run');
  const expected = await undisturbed(options, parts, stream, steps);
  note('alerts', compareAlerts(found, expected, { expected: 'undisturbed run', tokens: true }));
  note('recalls', compareRecalls(found, expected));
  tell('backtest');
  const replayed = await backtestVerdicts(folder, stream.records);
  note('backtest', compareAlerts(expected, replayed, { expected: 'backtest', tokens: false }));
}

/** The stream shuffled and repeated, while parts are killed; then everything that can be checked. */
async function disturbed(
  options: RunOptions,
  parts: Parts,
  stream: LabelledStream,
  { report, closers, note, tell }: Steps,
): Promise<Verdicts> {
  const { seed, road, rate, workers } = options;
  const { kafka, authorizationServer } = parts;
  const { brokers } = kafka;
  const began = Date.now();
  const { fleet, store, names, folder } = await openRoad('disturbed', road, parts, closers);
  const plan = planFaults(seed, workers, options.faults);
  const records = shuffled(stream.records, seed);
  Object.assign(report, { faults: plan.length, delivered: records.length });
  const meter = await openLagMeter(brokers, names, road);
  closers.push(() => meter.close());
  for (let count = 0; count < workers[0]; count += 1) await fleet.join();
  await fleet.running();

  const faults = createFaults({ plan, fleet, store, kafka, authorizationServer });
  report.done = faults.log;
  await writeFile(join(parts.folder, 'plan.json'), JSON.stringify(plan, null, 2));
  const brake = createBrake(meter, records.length * MOST_BEHIND);
  await feed({ brokers, names, road, rate, records, brake, onProgress: (share) => faults.progress(share) });
  tell('all is fed');
  await faults.over();
  await fleet.running();
  tell('all faults are over');
  await settled(meter, store).catch((error: unknown) => note('settling', [String(error)]));
  if (road === 'repartition' && (await meter.size(names.repartition)) < report.events) {
    note('road', ['not every event went through the repartition topic']);
  }
  await fleet.end();
  Object.assign(report, { restarts: fleet.restarts(), counters: fleet.counters(), kills: faults.kills() });
  report.seconds.disturbed = (Date.now() - began) / 1000;

  tell('checking');
  note('workers', await fleet.complaints());
  const events = await checkEvents(store, stream.records);
  note('events', events.complaints);
  report.repeats = events.repeats;
  const recalls = await checkRecalls(store, authorizationServer, stream.labels);
  note('recalls', recalls.complaints);
  report.confirmed = recalls.confirmed;
  report.accepted = recalls.accepted;
  const verdicts = await verdictsOf(store);
  report.alerts = verdicts.alerts.size;
  note('labels', checkLabels(verdicts, stream.labels));
  const inputs = [names.access, names.authorization];
  const secrets = await checkSecrets({ tokens: stream.tokens, store, brokers, inputs, folder });
  note('secrets', secrets.complaints);
  report.searched = secrets.bytes;
  return verdicts;
}

/** The same stream in order, nothing twice, through one worker that nobody disturbs. */
async function undisturbed(
  { road }: RunOptions,
  parts: Parts,
  stream: LabelledStream,
  { report, closers, note }: Steps,
): Promise<Verdicts> {
  const { brokers } = parts.kafka;
  const began = Date.now();
  const { fleet, store, names } = await openRoad('undisturbed', road, parts, closers);
  const meter = await openLagMeter(brokers, names, road);
  closers.push(() => meter.close());
  await fleet.join();
  await fleet.running();
  await feed({ brokers, names, road, records: inOrder(stream.records) });
  await settled(meter, store).catch((error: unknown) => note('settling undisturbed', [String(error)]));
  await fleet.end();
  report.seconds.undisturbed = (Date.now() - began) / 1000;
  note('workers undisturbed', await fleet.complaints());
  note('events undisturbed', (await checkEvents(store, stream.records)).complaints);
  const verdicts = await verdictsOf(store);
  await store.stop();
  return verdicts;
}
