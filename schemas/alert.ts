import { z } from 'zod';
import { evidence, finding, handleKind, severity } from './finding.ts';

/** What policy makes of an alert, mildest first. */
export const decisionAction = z.enum(['record', 'alert', 'approval', 'revoke']);
export type DecisionAction = z.infer<typeof decisionAction>;

/** shadow: decided and recorded but not carried out; enforce: carried out. */
export const mode = z.enum(['shadow', 'enforce']);
export type Mode = z.infer<typeof mode>;

export const decision = z.object({
  action: decisionAction.describe('What is to be done'),
  handle: handleKind.describe('What is to be recalled'),
  value: z.string().describe('Which one: token hash or jti, sid, sub, client_id'),
  mode: mode.describe('Whether it is carried out'),
  reason: z.string().describe('Why this and nothing more or less, in words'),
  missing: z.array(z.string()).optional().describe('What is missing to carry it out, if anything'),
});
export type Decision = z.infer<typeof decision>;

/** Findings on the same token, session or subject gathered into one incident. */
export const alert = z.object({
  alert_id: z.string().describe('A function of what the incident concerns'),
  version: z.number().int().describe('Of two versions of an alert the higher counts'),
  time: z.number().describe('Event time of the earliest finding, epoch milliseconds'),
  updated: z.number().describe('Event time of the latest finding, epoch milliseconds'),
  severity,
  risk: z.number().min(0).max(1).describe('Combined confidence: 1 − Π(1 − c) over independent detectors'),
  findings: z.array(finding),
  iss: z.string().optional(),
  sub: z.string().optional(),
  client_id: z.string().optional(),
  sid: z.string().optional(),
  jti: z.string().optional(),
  token_hash: z.string().optional(),
  partition: z.string().optional().describe('State partition it was raised in'),
  decision,
  evidence: z.array(evidence),
  summary: z.string().describe('One sentence a person can act on'),
});
export type Alert = z.infer<typeof alert>;

/** The life of an alert, which analysts lead. */
export const alertStatus = z.enum(['open', 'acknowledged', 'resolved']);
export type AlertStatus = z.infer<typeof alertStatus>;

export const verdict = z.enum(['true_positive', 'false_positive', 'benign']);
export type Verdict = z.infer<typeof verdict>;
