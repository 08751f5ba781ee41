import type { SourceConfig } from '../../schemas/config-sources.ts';
import type { RedriveOutcome, RedriveReport, RedriveRequest } from '../api/deps.ts';
import { decodeRecord } from '../formats/decode.ts';
import type { Custody } from '../response/custody.ts';
import type { DeadLetterReads, StoredDeadLetter } from '../store/dead-letters.ts';
import type { DeadLetterOutcome, Store } from '../store/port.ts';
import { originalOf } from './redrive-original.ts';
import { bodiesOf, handOver, type Push, type Recovered } from './redrive-push.ts';

export interface RedriveOptions {
  letters: Pick<DeadLetterReads, 'originals'>;
  store: Pick<Store, 'write'>;
  custody: Pick<Custody, 'openBytes'>;
  push: Push;
  /** Sources as they are configured now: they say which format a letter is in. */
  sources: readonly SourceConfig[];
  /** How far ahead of now an event time may be, ms. */
  maxFuture: number;
}

/** Letters read at once; an original is 64 KiB at most. */
const PAGE = 200;
/** What is pushed is in this format, unless it says otherwise. */
const PUSHED_FORMAT = 'canonical';

/** Formats by the source name that records carry. */
function formatsOf(sources: readonly SourceConfig[]): Map<string, string> {
  const names = (source: SourceConfig) => {
    switch (source.kind) {
      case 'kafka':
        return source.topics.map((topic) => `kafka:${topic}`);
      case 'file':
        return [`file:${source.path}`];
      case 'stdin':
        return ['stdin'];
    }
  };
  return new Map(sources.flatMap((source) => names(source).map((name) => [name, source.format] as const)));
}

/**
 * Creates what decodes dead letters again, under the configuration of now, and hands those that are events to the
 * worker. Ids of events are functions of their content: one that was stored after all is not stored twice. Letters
 * handed over are marked and audited as they go, so that a run that breaks off is continued by the next.
 *
 * @returns function of the request and of who asks; throws RecallError ERR_STORE_UNAVAILABLE, and what `push` throws
 */
export function createRedrive(options: RedriveOptions) {
  const { letters, store, custody, push } = options;
  const formats = formatsOf(options.sources);

  /** Decodes a letter again; what it comes to before anything is handed over. */
  function judge(letter: StoredDeadLetter): Recovered | { outcome: RedriveOutcome; detail: string } {
    const original = originalOf(letter, custody);
    if ('missing' in original) return { outcome: 'no_original', detail: original.missing };
    const format = formats.get(letter.source) ?? PUSHED_FORMAT;
    const { bytes } = original;
    const context = { stream: letter.stream, format, now: Date.now(), maxFuture: options.maxFuture };
    const decoded = decodeRecord({ bytes, position: letter.position }, context);
    if (decoded.ok) return { letter, bytes, format };
    return { outcome: 'undecodable', detail: `${decoded.code}: ${decoded.reason}` };
  }

  /** Hands over, and marks what was handed over also where the rest could not be. */
  async function carryOut(recovered: readonly Recovered[], request: RedriveRequest, actor: string) {
    const marks = new Map<string, DeadLetterOutcome>();
    try {
      for (const body of bodiesOf(recovered)) {
        await handOver(push, body, ({ dead_letter_id }, outcome) => {
          const detail =
            outcome === 'accepted'
              ? 'it is an event now'
              : 'the worker set it aside anew, as a new dead letter';
          marks.set(dead_letter_id, { dead_letter_id, at: Date.now(), actor, outcome, detail });
        });
      }
    } finally {
      if (marks.size > 0) {
        const outcomes = [...marks.values()];
        const refused = outcomes.filter(({ outcome }) => outcome === 'refused').length;
        const entry = {
          at: Date.now(),
          actor,
          action: 'dead-letter.redrive',
          target: describe(request),
          outcome: refused === 0 ? 'accepted' : refused === outcomes.length ? 'refused' : 'partly accepted',
          detail: `${outcomes.length} handed over: ${outcomes.length - refused} accepted, ${refused} refused`,
        };
        await store.write({ dead_letter_outcomes: outcomes, audit: [entry] });
      }
    }
    return marks;
  }

  return async function redrive(request: RedriveRequest, actor: string): Promise<RedriveReport> {
    const { again = false, dry_run = false, limit = Infinity, ids, source, code, since } = request;
    const outcomes = { accepted: 0, refused: 0, decodes: 0, undecodable: 0, no_original: 0 };
    const report: RedriveReport = { dry_run, examined: 0, outcomes, more: false, letters: [] };
    // What the worker sets aside anew on the way is not for this run.
    const filter = { ids, source, code, since, until: Date.now(), redriven: again ? undefined : false };
    for (let after: StoredDeadLetter | undefined; ;) {
      const size = Math.min(PAGE, limit - report.examined + 1);
      const place = after && { received_at: after.received_at, dead_letter_id: after.dead_letter_id };
      const found = await letters.originals({ ...filter, limit: size, after: place });
      const page = found.slice(0, limit - report.examined);
      const judged = page.map(judge);
      const recovered = judged.filter((one) => 'letter' in one);
      const marks = dry_run ? undefined : await carryOut(recovered, request, actor);
      for (const [index, { dead_letter_id }] of page.entries()) {
        const one = judged[index];
        const { outcome, detail } =
          one !== undefined && 'outcome' in one
            ? one
            : (marks?.get(dead_letter_id) ?? {
                outcome: 'decodes' as const,
                detail: 'it would be an event now',
              });
        outcomes[outcome] += 1;
        report.letters.push({ dead_letter_id, outcome, detail });
      }
      report.examined += page.length;
      report.more = found.length > page.length;
      if (found.length < size || report.more) return report;
      after = page.at(-1);
    }
  };
}

/** What was asked for, for the audit trail. */
function describe({ ids, source, code, since }: RedriveRequest): string {
  const parts = [
    ids && `id ${ids.join(', ')}`,
    source && `source ${source}`,
    code && `code ${code}`,
    since !== undefined && `since ${new Date(since).toISOString()}`,
  ].filter((part) => typeof part === 'string');
  return parts.length === 0 ? 'all dead letters' : `dead letters of ${parts.join(', ')}`;
}
