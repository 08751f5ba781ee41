import type { Action, ActionState } from '../../schemas/action.ts';
import type { Alert, AlertStatus, Verdict } from '../../schemas/alert.ts';
import type { HandleKind, Severity } from '../../schemas/finding.ts';
import type { AlertReview, SealedToken, Store } from './port.ts';
import { toAction, toAlertRow, toReview, toSealedToken, toTokenRow, toTokenUse } from './read-rows.ts';
import type { Cells } from './read-rows.ts';

/** An alert with where analysts took it. */
export type AlertRow = Alert & { status: AlertStatus; verdict?: Verdict | undefined };

export interface AlertFilter {
  status?: AlertStatus | undefined;
  severity?: Severity | undefined;
  sub?: string | undefined;
  client_id?: string | undefined;
  /** Alerts with a finding of this detector. */
  detector?: string | undefined;
  /** Updated at or after, event time, epoch milliseconds. */
  since?: number | undefined;
  /** Updated before, event time, epoch milliseconds. */
  until?: number | undefined;
  limit: number;
  /** Place of the last alert of the page before. */
  before?: { updated: number; alert_id: string } | undefined;
}

export interface ActionFilter {
  state?: ActionState | undefined;
  handle?: HandleKind | undefined;
  /** What was asked to be recalled; a token also by its hash. */
  value?: string | undefined;
  alert_id?: string | undefined;
  limit: number;
}

/** A token of the ledger. Times are epoch milliseconds; what is unknown is absent. */
export interface TokenRow {
  /** `jti` of the token, else its hash. */
  token_id: string;
  iss?: string | undefined;
  sub?: string | undefined;
  client_id?: string | undefined;
  sid?: string | undefined;
  jti?: string | undefined;
  token_hash?: string | undefined;
  state: 'live' | 'expired' | 'revoked' | 'recalled';
  issued_at?: number | undefined;
  expires_at?: number | undefined;
  first_used?: number | undefined;
  last_used?: number | undefined;
  uses: number;
  /** Number of addresses it was used from. */
  ips: number;
  countries: string[];
  asns: number[];
  ua_families: string[];
  last_ip?: string | undefined;
  last_country?: string | undefined;
  last_city?: string | undefined;
  last_asn?: number | undefined;
  last_network?: string | undefined;
  last_user_agent?: string | undefined;
  scopes: string[];
  /** Some of the routes it was used on. */
  routes: string[];
  /** When the authorization server said it was revoked. */
  revoked_at?: number | undefined;
  /** When its recall was asked. */
  recalled_at?: number | undefined;
  recall_state?: ActionState | undefined;
  recall_updated_at?: number | undefined;
}

/** One use of a token. */
export interface TokenUse {
  event_id: string;
  /** Epoch milliseconds. */
  time: number;
  request_id?: string | undefined;
  gateway?: string | undefined;
  ip: string;
  country?: string | undefined;
  city?: string | undefined;
  asn?: number | undefined;
  as_org?: string | undefined;
  network?: string | undefined;
  user_agent?: string | undefined;
  method?: string | undefined;
  path?: string | undefined;
  route?: string | undefined;
  status?: number | undefined;
}

/** What the API and the outbox read. */
export interface Reads {
  /** Latest updated first. */
  listAlerts(filter: AlertFilter): Promise<AlertRow[]>;
  /** The alert with its reviews, oldest first. */
  getAlert(id: string): Promise<(AlertRow & { reviews: AlertReview[] }) | null>;
  getToken(idHashOrJti: string): Promise<TokenRow | null>;
  /** Latest first. */
  tokenUses(idHashOrJti: string, limit: number): Promise<TokenUse[]>;
  /** Latest asked first. */
  listActions(filter: ActionFilter): Promise<Action[]>;
  getAction(id: string): Promise<Action | null>;
  /** Those of the actions that are there, in no order. */
  actionsById(ids: readonly string[]): Promise<Action[]>;
  /**
   * Actions to be carried out that have no final state yet, oldest first: what the outbox resumes.
   *
   * @param partition of this state partition only; '' for those of none. All where absent
   * @param limit at most so many of each issuer, so that a server that is away does not hide the others' actions
   */
  pendingActions(partition?: string, limit?: number): Promise<Action[]>;
  /**
   * The sealed token of that hash, or of that jti and issuer, unless it has expired. Without `iss`, a jti finds only
   * a token without issuer, or one whose jti no other issuer has used.
   */
  sealedToken(tokenHashOrJti: string, iss?: string): Promise<SealedToken | null>;
}

/** Parameters travel in the address of the request, which proxies let be about 8 kB long. */
const IDS_A_QUERY = 100;

// Identities first: the view groups the whole ledger otherwise. The hash of a token known by jti is a bloom filter away.
const TOKEN = `
  SELECT * FROM tokens
  WHERE token_id IN (SELECT token_id FROM token_states WHERE token_id = {id:String} OR token_hash = {id:String})
  ORDER BY last_used DESC NULLS LAST LIMIT 1`;

const TOKEN_USES = `
  SELECT event_id, time, request_id, gateway, ip, country, city, asn, as_org, network, user_agent, method, path, route, status
  FROM access_events FINAL
  WHERE token_hash = {id:String} OR jti = {id:String}
  ORDER BY time DESC, event_id DESC LIMIT {limit:UInt32}`;

// A jti is unique within its issuer only. The hash first: it cannot be chosen, while an issuer may put anything into a jti.
const SEALED = `
  WITH (SELECT uniqExact(iss) FROM token_custody WHERE jti = {id:String} AND expires_at > now64(3)) AS issuers
  SELECT * FROM token_custody FINAL
  WHERE expires_at > now64(3)
    AND (token_hash = {id:String} OR (jti = {id:String} AND (iss = {iss:String} OR ({iss:String} = '' AND issuers = 1))))
  ORDER BY token_hash = {id:String} DESC, first_seen DESC LIMIT 1`;

/**
 * The queries of the product itself, through parameters only.
 *
 * Every function throws RecallError ERR_STORE_UNAVAILABLE or ERR_STORE_REFUSED.
 */
export function createReads(store: Pick<Store, 'query'>): Reads {
  const first = async <T>(sql: string, id: string, toRow: (cells: Cells) => T): Promise<T | null> => {
    const [cells] = await store.query<Cells>(sql, { id });
    return cells === undefined ? null : toRow(cells);
  };

  return {
    async listAlerts({ limit, before, ...filter }) {
      const conditions = where({
        'status = {status:String}': filter.status,
        'severity = {severity:String}': filter.severity,
        'sub = {sub:String}': filter.sub,
        'client_id = {client_id:String}': filter.client_id,
        'has(detectors, {detector:String})': filter.detector,
        'updated >= fromUnixTimestamp64Milli({since:Int64})': filter.since,
        'updated < fromUnixTimestamp64Milli({until:Int64})': filter.until,
        '(updated, alert_id) < (fromUnixTimestamp64Milli({updated:Int64}), {alert_id:String})': before,
      });
      const rows = await store.query<Cells>(
        `SELECT * FROM current_alerts ${conditions} ORDER BY updated DESC, alert_id DESC LIMIT {limit:UInt32}`,
        { ...filter, ...before, limit },
      );
      return rows.map(toAlertRow);
    },
    async getAlert(id) {
      const row = await first('SELECT * FROM current_alerts WHERE alert_id = {id:String}', id, toAlertRow);
      if (row === null) return null;
      const reviews = await store.query<Cells>(
        'SELECT * FROM alert_reviews FINAL WHERE alert_id = {id:String} ORDER BY at',
        { id },
      );
      return { ...row, reviews: reviews.map(toReview) };
    },
    getToken: (id) => first(TOKEN, id, toTokenRow),
    async tokenUses(id, limit) {
      return (await store.query<Cells>(TOKEN_USES, { id, limit })).map(toTokenUse);
    },
    async listActions({ limit, ...filter }) {
      const conditions = where({
        'state = {state:String}': filter.state,
        'handle = {handle:String}': filter.handle,
        '(value = {value:String} OR token_hash = {value:String})': filter.value,
        'alert_id = {alert_id:String}': filter.alert_id,
      });
      const rows = await store.query<Cells>(
        `SELECT * FROM actions FINAL ${conditions} ORDER BY requested_at DESC, action_id DESC LIMIT {limit:UInt32}`,
        { ...filter, limit },
      );
      return rows.map(toAction);
    },
    getAction: (id) => first('SELECT * FROM actions FINAL WHERE action_id = {id:String}', id, toAction),
    async actionsById(ids) {
      const found: Action[] = [];
      for (let start = 0; start < ids.length; start += IDS_A_QUERY) {
        const rows = await store.query<Cells>(
          'SELECT * FROM actions FINAL WHERE action_id IN {ids:Array(String)}',
          { ids: ids.slice(start, start + IDS_A_QUERY) },
        );
        found.push(...rows.map(toAction));
      }
      return found;
    },
    async pendingActions(partition, limit) {
      const conditions = where({
        "state = 'pending'": true,
        "mode = 'enforce'": true,
        'partition = {partition:String}': partition,
      });
      const most = limit === undefined ? '' : 'LIMIT {limit:UInt32} BY iss';
      const rows = await store.query<Cells>(
        `SELECT * FROM actions FINAL ${conditions} ORDER BY requested_at, action_id ${most}`,
        { partition, limit },
      );
      return rows.map(toAction);
    },
    async sealedToken(id, iss = '') {
      const [cells] = await store.query<Cells>(SEALED, { id, iss });
      return cells === undefined ? null : toSealedToken(cells);
    },
  };
}

/** A WHERE clause of the conditions whose values are given. */
function where(conditions: Record<string, unknown>): string {
  const given = Object.entries(conditions).flatMap(([sql, value]) => (value === undefined ? [] : [sql]));
  return given.length === 0 ? '' : `WHERE ${given.join(' AND ')}`;
}
