import { tokenHash } from '../../src/formats/hash.ts';
import type { Stream } from '../../src/sources/port.ts';
import { FRANKFURT } from '../../src/demo/places.ts';
import { madeUpToken, type ClientName } from './cast.ts';

export const MINUTE = 60_000;
/** How long people use a token before they get another. */
export const TOKEN_LIFE = 90 * MINUTE;
/** A token outlives the run, so that there is something to revoke. */
const EXPIRES_AFTER = 1440 * MINUTE;
export const BASE_SCOPE = 'orders:read orders:write profile:read';

/** One record of the stream. */
export interface StreamRecord {
  readonly stream: Stream;
  /** Whom it concerns: the subject, else the client. What topics are keyed by, where they are keyed. */
  readonly key: string;
  /** Event time, epoch milliseconds. */
  readonly time: number;
  /** Names the event, however often it is delivered: the request id, or the number of the authorization event. */
  readonly id: string;
  readonly line: string;
  /** event: one like the others; late: to be delivered last, beyond the allowed lateness; refused: no event. */
  readonly sort: 'event' | 'late' | 'refused';
}

/** One request of a person. */
export interface UseOfToken {
  token: string;
  /** When it was issued, epoch milliseconds. */
  iat: number;
  sub: string;
  sid: string;
  time: number;
  address: string;
  agent: string;
  method: string;
  route: string;
  client?: ClientName | undefined;
  scope?: string | undefined;
}

/** A token that the authorization server tells of. */
export interface Issuance {
  token: string;
  sub: string;
  client: ClientName;
  sid: string;
  time: number;
  scope?: string | undefined;
  type?: 'token_issued' | 'token_refreshed' | undefined;
}

const seconds = (time: number) => Math.floor(time / 1000);

/** Writes the lines of both logs, and keeps account of what is in them. */
export function createLineWriter(issuer: string) {
  const records: StreamRecord[] = [];
  const tokens = new Set<string>();
  const told = new Set<string>();
  let requests = 0;
  let grants = 0;

  function access(
    key: string,
    fields: Record<string, unknown> & { time: number; token: string; iat: number },
  ) {
    const { iat, token, time } = fields;
    tokens.add(token);
    requests += 1;
    const id = `request-${requests}`;
    const claims = { iss: issuer, iat: seconds(iat), exp: seconds(iat + EXPIRES_AFTER) };
    const head = { request_id: id, gateway: 'edge-1', host: 'api.example', status: 200 };
    const line = JSON.stringify({ ...head, ...fields, time: new Date(time).toISOString(), ...claims });
    return { stream: 'access', key, time, id, line } as const;
  }

  return {
    records,
    tokens,
    use(
      { address, agent, client = 'web', scope = BASE_SCOPE, route, ...rest }: UseOfToken,
      sort: 'event' | 'late' = 'event',
    ) {
      const request = { client_ip: address, user_agent: agent, client_id: client, route, scope };
      const path = route.replace('{id}', '1042');
      records.push({ ...access(rest.sub, { ...rest, ...request, path }), sort });
    },
    /** A request of a program that signs in as itself. */
    machine(client_id: string, seed: number, time: number, iat: number) {
      const token = madeUpToken(seed, client_id);
      const request = { client_ip: `${FRANKFURT.prefix}.10`, user_agent: 'reporter/1.4', method: 'GET' };
      const claims = { client_id, scope: 'reports:read', grant_type: 'client_credentials' };
      const fields = { time, token, iat, ...request, ...claims, path: '/api/reports', route: '/api/reports' };
      records.push({ ...access(client_id, fields), sort: 'event' });
    },
    /** Tells of a token once, however often it is asked to. */
    issued({ token, sub, client, sid, time, scope = BASE_SCOPE, type = 'token_issued' }: Issuance) {
      if (told.has(token)) return;
      told.add(token);
      grants += 1;
      const id = `grant-${grants}`;
      const subject = { iss: issuer, sub, client_id: client, sid, token_hash: tokenHash(token) };
      const grant = { scope, grant_type: type === 'token_issued' ? 'authorization_code' : 'refresh_token' };
      const exp = seconds(time + EXPIRES_AFTER);
      // `number` is no canonical field, so it is kept in `extra`: what the event is found by.
      const line = JSON.stringify({ time, type, ...subject, ...grant, exp, number: id });
      records.push({ stream: 'authorization', key: sub, time, id, line, sort: 'event' });
    },
    /** A record that is no event. */
    refused({ token, ...record }: Pick<StreamRecord, 'stream' | 'id' | 'time' | 'line'> & { token: string }) {
      tokens.add(token);
      records.push({ ...record, key: record.id, sort: 'refused' });
    },
  };
}

export type LineWriter = ReturnType<typeof createLineWriter>;
