import { z } from 'zod';
import { action, type Action } from '../../schemas/action.ts';
import { alert, alertStatus, verdict } from '../../schemas/alert.ts';
import { evidence, finding } from '../../schemas/finding.ts';
import { rfc3339, toAlertLine, toFindingLine } from '../alerts/line.ts';
import type { AnyDetector } from '../detection/contract.ts';
import type { AlertReview } from '../store/port.ts';
import type { AlertRow } from '../store/reads.ts';

/** A point in time in an answer. */
export const instant = z.string().meta({ format: 'date-time', examples: ['2026-03-01T09:30:00.000Z'] });

const evidenceView = evidence
  .extend({ time: instant.describe('Event time') })
  .meta({ id: 'Evidence', description: 'One use of a token' });

const reviewView = z
  .object({
    at: instant,
    actor: z.string().describe('Name of the credential'),
    status: alertStatus,
    verdict: verdict.optional(),
    note: z.string(),
  })
  .meta({ id: 'Review', description: 'What an analyst said of an alert' });

const alertFields = {
  time: instant.describe('Event time of the earliest finding'),
  updated: instant.describe('Event time of the latest finding'),
  evidence: z.array(evidenceView).describe('The uses of tokens it rests on, oldest first'),
  status: alertStatus.describe('Where analysts took it'),
  verdict: verdict.optional().describe('What they found, once resolved'),
};

/** An alert in a list: its line (design: alert line) and where analysts took it. */
export const alertView = alert
  .omit({ version: true })
  .extend({
    ...alertFields,
    findings: z.array(
      z.object({
        detector: z.string(),
        confidence: z.number(),
        time: instant,
        reason: z.string(),
        runbook: z.string().optional().describe('What to do about it'),
      }),
    ),
  })
  .meta({ id: 'Alert' });

/** Everything about one action. */
export const actionView = action
  .extend({
    requested_at: instant,
    event_time: instant.describe('Event time that caused it'),
    updated_at: instant.describe('When the state last changed'),
  })
  .meta({ id: 'Action', description: 'One attempt to carry a decision out, and its receipt' });

/** An alert with all that is known of it. */
export const alertDetail = alert
  .omit({ version: true })
  .extend({
    ...alertFields,
    findings: z.array(
      finding.extend({ time: instant, evidence: z.array(evidenceView), runbook: z.string() }),
    ),
    actions: z.array(actionView).describe('What was done about it, latest first'),
    reviews: z.array(reviewView).describe('What analysts said of it, oldest first'),
  })
  .meta({ id: 'AlertDetail' });

/** What is told of a detector: the page that alerts link to. */
export const detectorView = z
  .object({
    id: z.string().meta({ examples: ['token-replay'] }),
    title: z.string(),
    description: z.string().describe('What it catches'),
    attack: z.array(z.string()).describe('MITRE ATT&CK technique ids'),
    severity: z.string(),
    scope: z.string().describe('What its state is kept by'),
    false_positives: z.array(z.string()).describe('Honest behaviour that may look the same'),
    runbook: z.string().describe('What an analyst does with a finding, Markdown'),
  })
  .meta({ id: 'Detector' });

/** An action with times as RFC 3339. */
export function toActionView(one: Action): z.infer<typeof actionView> {
  return {
    ...one,
    requested_at: rfc3339(one.requested_at),
    event_time: rfc3339(one.event_time),
    updated_at: rfc3339(one.updated_at),
  };
}

/** An alert as lists carry it. */
export function toAlertView(row: AlertRow, publicUrl: string): z.infer<typeof alertView> {
  return { ...toAlertLine(row, publicUrl), status: row.status, verdict: row.verdict };
}

/** An alert with complete findings, actions and reviews. */
export function toAlertDetail(
  row: AlertRow & { reviews: readonly AlertReview[] },
  actions: readonly Action[],
  publicUrl: string,
): z.infer<typeof alertDetail> {
  const view = toAlertView(row, publicUrl);
  return {
    ...view,
    findings: row.findings.map((one, index) => ({
      ...toFindingLine(one),
      runbook: view.findings[index]?.runbook ?? '',
    })),
    actions: actions.map(toActionView),
    reviews: row.reviews.map(({ at, actor, status, verdict: said, note }) => ({
      at: rfc3339(at),
      actor,
      status,
      verdict: said,
      note,
    })),
  };
}

/** A detector's documentation, without its code or configuration. */
export function toDetectorView(detector: AnyDetector): z.infer<typeof detectorView> {
  const { id, title, description, attack, severity, scope, falsePositives, runbook } = detector;
  return {
    id,
    title,
    description,
    attack: [...attack],
    severity,
    scope,
    false_positives: [...falsePositives],
    runbook,
  };
}
