import type { DeadLetter } from '../../schemas/dead-letter.ts';
import type { DeadLetterOutcome, Store } from './port.ts';
import { toDeadLetter, type Cells } from './read-rows.ts';

/** A dead letter with what became of it. */
export type StoredDeadLetter = DeadLetter & {
  /** Whether the original is there, sealed. In lists `sealed` itself is empty. */
  kept: boolean;
  /** When it was last handed over again, if ever. */
  redriven?: Omit<DeadLetterOutcome, 'dead_letter_id'> | undefined;
};

/** Which dead letters; what is absent excludes none. */
export interface DeadLetterFilter {
  ids?: readonly string[] | undefined;
  source?: string | undefined;
  code?: string | undefined;
  /** Arrived at or after, epoch milliseconds. */
  since?: number | undefined;
  /** Arrived before, epoch milliseconds. */
  until?: number | undefined;
  /** Whether they were handed over again. */
  redriven?: boolean | undefined;
}

/** A place among dead letters sorted by arrival. */
export interface DeadLetterPlace {
  received_at: number;
  dead_letter_id: string;
}

export interface DeadLetterReads {
  /** Latest first, without originals; from behind `before` on. */
  list(
    filter: DeadLetterFilter & { limit: number; before?: DeadLetterPlace | undefined },
  ): Promise<StoredDeadLetter[]>;
  /** With the sealed original. */
  get(id: string): Promise<StoredDeadLetter | null>;
  /** Oldest first, with sealed originals; from behind `after` on. */
  originals(
    filter: DeadLetterFilter & { limit: number; after?: DeadLetterPlace | undefined },
  ): Promise<StoredDeadLetter[]>;
}

const COLUMNS = ['dead_letter_id', 'received_at', 'source', 'position', 'stream', 'step', 'code', 'reason'];

const select = (sealed: boolean, conditions: string, end: string) => `
  WITH outcomes AS
  (
    SELECT dead_letter_id, at, toString(actor) AS actor, toString(outcome) AS outcome, detail
    FROM dead_letter_outcomes FINAL
  )
  SELECT ${COLUMNS.map((name) => `d.${name} AS ${name}`).join(', ')}, d.size AS size, d.excerpt AS excerpt,
    d.sealed != '' AS kept, ${sealed ? 'd.sealed AS sealed,' : ''}
    o.at AS redriven_at, o.actor AS redriven_by, o.outcome AS redrive_outcome, o.detail AS redrive_detail
  FROM dead_letters AS d FINAL
  GLOBAL LEFT JOIN outcomes AS o ON o.dead_letter_id = d.dead_letter_id
  ${conditions} ${end}`;

const PLACE = '(fromUnixTimestamp64Milli({received_at:Int64}), {dead_letter_id:String})';

/**
 * Dead letters in the tables `dead_letters` and `dead_letter_outcomes`. Needs a user who may read `sealed`.
 *
 * Every function throws RecallError ERR_STORE_UNAVAILABLE or ERR_STORE_REFUSED.
 */
export function createDeadLetterReads(store: Pick<Store, 'query'>): DeadLetterReads {
  const query = async (sql: string, params: Record<string, unknown>) =>
    (await store.query<Cells>(sql, params)).map(toDeadLetter);

  return {
    list({ limit, before, ...filter }) {
      const conditions = where(filter, before && `(d.received_at, d.dead_letter_id) < ${PLACE}`);
      const end = 'ORDER BY d.received_at DESC, d.dead_letter_id DESC LIMIT {limit:UInt32}';
      return query(select(false, conditions, end), { ...filter, ...before, limit });
    },
    async get(id) {
      const [letter] = await query(select(true, where({ ids: [id] }, undefined), 'LIMIT 1'), { ids: [id] });
      return letter ?? null;
    },
    originals({ limit, after, ...filter }) {
      const conditions = where(filter, after && `(d.received_at, d.dead_letter_id) > ${PLACE}`);
      const end = 'ORDER BY d.received_at, d.dead_letter_id LIMIT {limit:UInt32}';
      return query(select(true, conditions, end), { ...filter, ...after, limit });
    },
  };
}

/** A WHERE clause of what the filter asks for and the place to go on from. */
function where(filter: DeadLetterFilter, place: string | undefined): string {
  const { ids, source, code, since, until, redriven } = filter;
  const conditions = [
    ids && 'd.dead_letter_id IN {ids:Array(String)}',
    source !== undefined && 'd.source = {source:String}',
    code !== undefined && 'd.code = {code:String}',
    since !== undefined && 'd.received_at >= fromUnixTimestamp64Milli({since:Int64})',
    until !== undefined && 'd.received_at < fromUnixTimestamp64Milli({until:Int64})',
    redriven !== undefined && `o.outcome ${redriven ? '!=' : '='} ''`,
    place,
  ].filter((condition) => typeof condition === 'string');
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
}
