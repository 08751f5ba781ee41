import { z } from 'zod';
import { action, type Action } from '../../schemas/action.ts';
import { alert, alertStatus, verdict } from '../../schemas/alert.ts';
import { deadLetter } from '../../schemas/dead-letter.ts';
import type { StoredDeadLetter } from './dead-letters.ts';
import type { AlertReview, SealedToken } from './port.ts';
import type { AlertRow, TokenRow, TokenUse } from './reads.ts';

/** A row as JSONEachRow gives it: times are ISO 8601 texts. */
export type Cells = Record<string, unknown>;

// What the tables hold for unknown (an empty text, zero, NULL) is absent in the product.
const text = z
  .string()
  .transform((value) => (value === '' ? undefined : value))
  .optional();
const positive = z
  .number()
  .transform((value) => (value === 0 ? undefined : value))
  .optional();
const instant = z.iso.datetime().transform((value) => Date.parse(value));
const optionalInstant = instant.nullish().transform((value) => value ?? undefined);
const json = z.string().transform((value): unknown => JSON.parse(value));
const identity = { iss: text, sub: text, client_id: text, sid: text, token_hash: text };

const alertCells = z
  .object({
    ...identity,
    jti: text,
    alert_id: z.string(),
    version: z.coerce.number(),
    partition: text,
    status: alertStatus,
    verdict: text.pipe(verdict.optional()),
    time: instant,
    updated: instant,
    severity: z.string(),
    risk: z.number(),
    findings: json,
    evidence: json,
    summary: z.string(),
    decision_action: z.string(),
    decision_handle: z.string(),
    decision_value: z.string(),
    decision_mode: z.string(),
    decision_reason: z.string(),
    decision_missing: z.array(z.string()),
  })
  .transform((cells) => ({
    status: cells.status,
    verdict: cells.verdict,
    ...alert.parse({
      ...cells,
      decision: {
        action: cells.decision_action,
        handle: cells.decision_handle,
        value: cells.decision_value,
        mode: cells.decision_mode,
        reason: cells.decision_reason,
        missing: cells.decision_missing.length === 0 ? undefined : cells.decision_missing,
      },
    }),
  }));

const actionCells = z
  .object({
    ...action.shape,
    ...identity,
    alert_id: text,
    partition: text,
    expires_at: optionalInstant.optional(),
    seen_active_at: optionalInstant.optional(),
    requested_at: instant,
    event_time: instant,
    updated_at: instant,
  })
  .pipe(action);

const deadLetterOutcome = z.enum(['accepted', 'refused']);

const reviewCells = z.object({
  alert_id: z.string(),
  at: instant,
  actor: z.string(),
  status: alertStatus,
  verdict: text.pipe(verdict.optional()),
  note: z.string(),
});

const sealedCells = z.object({
  ...identity,
  token_hash: z.string(),
  jti: text,
  sealed: z.string(),
  expires_at: instant,
  first_seen: instant,
});

const tokenCells = z.object({
  ...identity,
  jti: text,
  token_id: z.string(),
  state: z.enum(['live', 'expired', 'revoked', 'recalled']),
  issued_at: optionalInstant,
  expires_at: optionalInstant,
  first_used: optionalInstant,
  last_used: optionalInstant,
  uses: z.number(),
  ips: z.number(),
  countries: z.array(z.string()),
  asns: z.array(z.number()),
  ua_families: z.array(z.string()),
  last_ip: text,
  last_country: text,
  last_city: text,
  last_asn: positive,
  last_network: text,
  last_user_agent: text,
  scopes: z.array(z.string()),
  routes: z.array(z.string()),
  revoked_at: optionalInstant,
  recalled_at: optionalInstant,
  recall_state: text.pipe(action.shape.state.optional()),
  recall_updated_at: optionalInstant,
});

const useCells = z.object({
  event_id: z.string(),
  time: instant,
  request_id: text,
  gateway: text,
  ip: z.string(),
  country: text,
  city: text,
  asn: positive,
  as_org: text,
  network: text,
  user_agent: text,
  method: text,
  path: text,
  route: text,
  status: positive,
});

const deadLetterCells = z
  .object({
    ...deadLetter.omit({ sealed: true }).shape,
    received_at: instant,
    kept: z.number(),
    sealed: z.string().default(''),
    redriven_at: instant,
    redriven_by: z.string(),
    redrive_outcome: text.pipe(deadLetterOutcome.optional()),
    redrive_detail: z.string(),
  })
  .transform((cells): StoredDeadLetter => {
    const {
      kept,
      redriven_at: at,
      redriven_by: actor,
      redrive_outcome: outcome,
      redrive_detail,
      ...letter
    } = cells;
    return {
      ...letter,
      kept: kept > 0,
      redriven: outcome && { at, actor, outcome, detail: redrive_detail },
    };
  });

/** Row of `current_alerts`. */
export const toAlertRow = (cells: Cells): AlertRow => alertCells.parse(cells);
/** Row of `alert_reviews`. */
export const toReview = (cells: Cells): AlertReview => reviewCells.parse(cells);
/** Row of `actions`. */
export const toAction = (cells: Cells): Action => actionCells.parse(cells);
/** Row of `token_custody`. */
export const toSealedToken = (cells: Cells): SealedToken => sealedCells.parse(cells);
/** Row of `tokens`. */
export const toTokenRow = (cells: Cells): TokenRow => tokenCells.parse(cells);
/** Row of `access_events`. */
export const toTokenUse = (cells: Cells): TokenUse => useCells.parse(cells);
/** Row of `dead_letters` with its outcome. */
export const toDeadLetter = (cells: Cells): StoredDeadLetter => deadLetterCells.parse(cells);
