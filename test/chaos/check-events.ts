import type { StreamRecord } from './lines.ts';
import type { StoreProcess } from './store.ts';

/** What went wrong, a line each; nothing where all is well. */
export type Complaints = string[];

/** How often rows are there that a merge would collapse. */
export interface Repeats {
  readonly access_events: number;
  readonly authorization_events: number;
}

interface Counts {
  rows: number;
  ids: number;
  raw: number;
}

const SHOWN = 5;
const some = (ids: readonly string[]) =>
  ids.slice(0, SHOWN).join(', ') + (ids.length > SHOWN ? ` and ${ids.length - SHOWN} more` : '');

/** Names of what was fed: each must be stored once, however often it was delivered. */
const idsOf = (records: readonly StreamRecord[], wanted: (record: StreamRecord) => boolean) =>
  new Set(records.filter(wanted).map(({ id }) => id));

/** Whether every event is stored exactly once, and every record that is no event is among the dead letters. */
export async function checkEvents(
  { client }: StoreProcess,
  records: readonly StreamRecord[],
): Promise<{ complaints: Complaints; repeats: Repeats }> {
  const complaints: Complaints = [];

  async function compare(table: string, name: string, expected: ReadonlySet<string>): Promise<number> {
    const [counts = { rows: 0, ids: 0, raw: 0 }] = await client.query<Counts>(
      `SELECT count() AS rows, uniqExact(event_id) AS ids, (SELECT count() FROM ${table}) AS raw FROM ${table} FINAL`,
    );
    const found = await client.query<{ name: string; n: number }>(
      `SELECT ${name} AS name, count() AS n FROM ${table} FINAL GROUP BY name`,
    );
    const names = new Set(found.map((row) => row.name));
    const missing = [...expected].filter((id) => !names.has(id));
    const unknown = [...names].filter((id) => !expected.has(id));
    const twice = found.filter(({ n }) => n !== 1).map((row) => row.name);
    if (missing.length > 0) complaints.push(`${table}: ${missing.length} lost: ${some(missing)}`);
    if (unknown.length > 0)
      complaints.push(`${table}: ${unknown.length} that were never fed: ${some(unknown)}`);
    if (twice.length > 0) complaints.push(`${table}: ${twice.length} stored more than once: ${some(twice)}`);
    if (counts.rows !== expected.size || counts.ids !== expected.size) {
      complaints.push(
        `${table}: ${counts.rows} rows with ${counts.ids} ids, ${expected.size} events were fed`,
      );
    }
    return counts.raw - counts.rows;
  }

  const isEvent = ({ sort }: StreamRecord) => sort !== 'refused';
  const access = idsOf(records, (record) => record.stream === 'access' && isEvent(record));
  const authorization = idsOf(records, (record) => record.stream === 'authorization' && isEvent(record));
  const repeats = {
    access_events: await compare('access_events', 'request_id', access),
    authorization_events: await compare(
      'authorization_events',
      `JSONExtractString(extra, 'number')`,
      authorization,
    ),
  };

  // A retried produce may put such a record into the topic twice, so it is found by what it says.
  const refused = idsOf(records, ({ sort }) => sort === 'refused');
  const letters = await client.query<{ excerpt: string; n: number }>(
    'SELECT any(excerpt) AS excerpt, count() AS n FROM dead_letters FINAL GROUP BY source, position',
  );
  const told = letters.map(({ excerpt }) => /refused-\d+/.exec(excerpt)?.[0] ?? excerpt);
  const lost = [...refused].filter((id) => !told.includes(id));
  const strange = told.filter((id) => !refused.has(id));
  const again = letters.filter(({ n }) => n !== 1);
  if (lost.length > 0) complaints.push(`dead_letters: ${lost.length} lost: ${some(lost)}`);
  if (strange.length > 0) complaints.push(`dead_letters: ${strange.length} are events: ${some(strange)}`);
  if (again.length > 0) complaints.push(`dead_letters: ${again.length} records have several`);

  const late = idsOf(records, ({ sort }) => sort === 'late');
  const marked = await client.query<{ name: string }>(
    'SELECT request_id AS name FROM access_events FINAL WHERE late',
  );
  const wrong = marked.map(({ name }) => name).filter((id) => !late.has(id));
  if (wrong.length > 0)
    complaints.push(`${wrong.length} events within the allowed lateness are marked late: ${some(wrong)}`);
  if (marked.length - wrong.length !== late.size) {
    complaints.push(
      `${marked.length - wrong.length} of ${late.size} events beyond the allowed lateness are marked late`,
    );
  }
  return { complaints, repeats };
}
