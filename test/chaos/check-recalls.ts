import { tokenHash } from '../../src/formats/hash.ts';
import type { AuthorizationServerProcess } from './authorization-server.ts';
import type { Complaints } from './check-events.ts';
import type { StoreProcess } from './store.ts';
import type { Label } from './stream.ts';

interface ActionRow {
  action_id: string;
  value: string;
  state: string;
  detail: string;
}

/**
 * Whether every revocation that was decided is recorded once, as taken by the server, its token dead there, and the
 * tokens next to it alive. What the server says here and now is the proof; a receipt may say less (`accepted`), where
 * the worker died, or introspection was away, before it could see the token active.
 */
export async function checkRecalls(
  { client }: StoreProcess,
  authorizationServer: AuthorizationServerProcess,
  labels: readonly Label[],
): Promise<{ complaints: Complaints; confirmed: number; accepted: number }> {
  const complaints: Complaints = [];
  const rows = await client.query<ActionRow>(
    `SELECT action_id, value, state, detail FROM actions FINAL WHERE mode = 'enforce'`,
  );
  const times = new Map<string, number>();
  for (const { action_id } of rows) times.set(action_id, (times.get(action_id) ?? 0) + 1);
  for (const [id, n] of times) if (n > 1) complaints.push(`action ${id} has ${n} rows`);
  const values = new Set(rows.map(({ value }) => value));
  if (values.size !== times.size) complaints.push(`${times.size} actions on ${values.size} tokens`);
  for (const { action_id, state, detail } of rows) {
    if (state !== 'confirmed' && state !== 'accepted')
      complaints.push(`action ${action_id} is ${state}: ${detail}`);
  }

  const all = labels.flatMap(({ accused, spared }) => [...accused, ...spared]);
  const active = await authorizationServer.active(all);
  const alive = new Set(all.filter((_, at) => active[at]));
  const byHash = new Map(all.map((token) => [tokenHash(token), token]));
  for (const { value } of rows) {
    const token = byHash.get(value);
    if (token === undefined) complaints.push(`an action is on ${value}, which no server issued`);
    else if (alive.has(token)) complaints.push(`token ${value} is active, though its recall is recorded`);
  }
  for (const token of labels.flatMap(({ spared }) => spared)) {
    if (!alive.has(token)) complaints.push(`token ${tokenHash(token)} is dead, and nobody misused it`);
  }
  const inState = (state: string) => rows.filter((row) => row.state === state).length;
  return { complaints, confirmed: inState('confirmed'), accepted: inState('accepted') };
}
