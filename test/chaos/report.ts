import type { RunReport } from './run.ts';

type Column = readonly [title: string, value: (report: RunReport) => string];

const count = (value: number) => value.toLocaleString('en-US');

const COLUMNS: readonly Column[] = [
  ['seed', ({ seed }) => String(seed)],
  ['events', ({ events }) => count(events)],
  ['delivered', ({ delivered }) => count(delivered)],
  ['faults', ({ faults }) => String(faults)],
  ['kills', ({ kills }) => String(kills)],
  // Of workers that could be asked before they ended.
  ['skipped', ({ counters }) => count(counters['skipped_events redelivered'] ?? 0)],
  ['collapsed', ({ repeats }) => count(repeats.access_events + repeats.authorization_events)],
  ['thefts', ({ thefts }) => String(thefts)],
  ['alerts', ({ alerts }) => String(alerts)],
  ['revoked', ({ confirmed, accepted }) => String(confirmed + accepted)],
  // Receipts `accepted`: the worker could not prove what the check here found at the server.
  ['unproven', ({ accepted }) => String(accepted)],
  ['searched', ({ searched }) => `${Math.round(searched / 1e6)} MB`],
  ['disturbed', ({ seconds }) => `${Math.round(seconds.disturbed)} s`],
  ['in all', ({ seconds }) => `${Math.round(seconds.all)} s`],
  ['verdict', ({ complaints }) => (complaints.length === 0 ? 'passed' : `FAILED (${complaints.length})`)],
];

const WIDTHS = COLUMNS.map(([title]) => Math.max(title.length, 9));
const row = (cells: readonly string[]) => cells.map((cell, at) => cell.padStart(WIDTHS[at] ?? 0)).join('  ');

/** Titles of the columns. */
export const header = (): string => row(COLUMNS.map(([title]) => title));

/** One run as a line of the table. */
export const line = (report: RunReport): string => row(COLUMNS.map(([, value]) => value(report)));

const MOST_COMPLAINTS = 40;

/** What went wrong in a run, and what was done to it, for people. */
export function account({ complaints, done, folder }: RunReport): string {
  const faults = done.map(({ at, what }) => `  ${at.toFixed(1).padStart(6)} s  ${what}`);
  const found = complaints.slice(0, MOST_COMPLAINTS).map((one) => `  - ${one}`);
  const more = complaints.length - found.length;
  if (more > 0) found.push(`  and ${more} more`);
  return [
    ...(found.length > 0 ? ['What went wrong:', ...found] : []),
    'What was done:',
    ...faults,
    ...(folder === null ? [] : [`Data and logs: ${folder}`]),
  ].join('\n');
}

/** All runs in one line. */
export function summary(reports: readonly RunReport[]): string {
  const sum = (value: (report: RunReport) => number) =>
    reports.reduce((total, report) => total + value(report), 0);
  const passed = reports.filter(({ complaints }) => complaints.length === 0).length;
  return (
    `${passed} of ${reports.length} runs passed: ${count(sum(({ events }) => events))} events stored once, ` +
    `${count(sum(({ kills }) => kills))} kills, ${count(sum(({ faults }) => faults))} faults, ` +
    `${count(sum(({ confirmed, accepted }) => confirmed + accepted))} tokens revoked ` +
    `(${count(sum(({ accepted }) => accepted))} of them without a proof in the receipt), ` +
    `${Math.round(sum(({ seconds }) => seconds.all))} s`
  );
}
