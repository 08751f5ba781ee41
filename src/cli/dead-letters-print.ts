import { rfc3339 } from '../alerts/line.ts';
import type { RedriveReport } from '../api/deps.ts';
import { table } from '../demo/table.ts';
import type { StoredDeadLetter } from '../store/dead-letters.ts';

/** Reasons of a report that are shown one by one; the rest is in `--json`. */
const SHOWN = 10;

const count = (letters: number) => `${letters} dead letter${letters === 1 ? '' : 's'}`;

/** A letter for programs: times RFC 3339, without the sealed original. */
export function letterJson({ received_at, redriven, ...letter }: StoredDeadLetter) {
  return {
    ...letter,
    sealed: undefined,
    received_at: rfc3339(received_at),
    redriven: redriven && { ...redriven, at: rfc3339(redriven.at) },
  };
}

/** Letters as a table for people, a line each. */
export function describeLetters(letters: readonly StoredDeadLetter[], limit: number): string {
  if (letters.length === 0) return 'no dead letters';
  const rows = letters.map(({ dead_letter_id, received_at, source, position, code, redriven }) => [
    dead_letter_id,
    rfc3339(received_at),
    source,
    position,
    code,
    redriven === undefined ? '' : `${redriven.outcome} ${rfc3339(redriven.at)}`,
  ]);
  const more = letters.length < limit ? '' : '; older ones with a larger --limit';
  return `${table(['id', 'arrived', 'source', 'position', 'code', 'redriven'], rows)}\n${count(letters.length)}${more}`;
}

/** Everything about one letter, for people. */
export function describeLetter(letter: StoredDeadLetter): string {
  const { redriven } = letter;
  const original = letter.kept ? 'kept, sealed' : 'not kept';
  const fields = [
    ['id', letter.dead_letter_id],
    ['arrived', rfc3339(letter.received_at)],
    ['source', `${letter.source}, ${letter.position} (${letter.stream})`],
    ['refused by', `${letter.step}: ${letter.code}`],
    ['reason', letter.reason],
    ['size', `${letter.size} bytes; original ${original}`],
    [
      'redriven',
      redriven && `${rfc3339(redriven.at)} by ${redriven.actor}: ${redriven.outcome}, ${redriven.detail}`,
    ],
    ['excerpt', letter.excerpt],
  ];
  return fields
    .flatMap(([name = '', value]) => (value === undefined ? [] : [`${name.padEnd(11)} ${value}`]))
    .join('\n');
}

/** What a redrive came to, for people: how many came to what, and why some are no events, each reason once. */
export function describeReport({ dry_run, examined, outcomes, letters }: RedriveReport): string {
  const lines = [
    `${count(examined)} looked at`,
    ...(dry_run
      ? [`${outcomes.decodes} would be events now`]
      : [`${outcomes.accepted} are events now`, `${outcomes.refused} set aside anew by the worker`]),
    `${outcomes.undecodable} still no events`,
    `${outcomes.no_original} without an original that can be opened`,
  ];
  const reasons = new Map<string, string[]>();
  for (const { dead_letter_id, outcome, detail } of letters) {
    if (outcome !== 'undecodable' && outcome !== 'no_original') continue;
    reasons.set(detail, [...(reasons.get(detail) ?? []), dead_letter_id]);
  }
  const shown = [...reasons].slice(0, SHOWN);
  for (const [reason, ids] of shown) {
    lines.push(`  ${reason}`, `    ${count(ids.length)}, such as ${ids[0] ?? ''}`);
  }
  if (reasons.size > shown.length)
    lines.push(`  and ${reasons.size - shown.length} more reasons: --json has them`);
  return lines.join('\n');
}
