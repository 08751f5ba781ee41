import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { alertStatus, verdict } from '../../../schemas/alert.ts';
import { severity } from '../../../schemas/finding.ts';
import { toOcsf } from '../../alerts/ocsf.ts';
import { version } from '../../package.ts';
import { cursor, toCursor } from '../cursor.ts';
import type { ApiDeps } from '../deps.ts';
import { idParams, limit, note, shortText, time } from '../params.ts';
import { jsonResponse, notFound, problemResponse } from '../problem.ts';
import { review } from '../reviews.ts';
import { alertDetail, alertView, toAlertDetail, toAlertView } from '../views.ts';

const query = z.strictObject({
  status: alertStatus.optional().describe('Where analysts took it'),
  severity: severity.optional(),
  detector: shortText.optional().describe('Alerts with a finding of this detector'),
  sub: shortText.optional().describe('Subject'),
  client_id: shortText.optional().describe('Client'),
  since: time.optional().describe('Updated at or after this event time, RFC 3339'),
  until: time.optional().describe('Updated before this event time, RFC 3339'),
  limit,
  cursor: cursor.optional().describe('`next` of the page before'),
});

const list = z
  .object({
    alerts: z.array(alertView),
    next: z.string().optional().describe('`cursor` of the next page; absent on the last one'),
  })
  .meta({ id: 'AlertList' });

const acknowledgement = z.strictObject({ note: note.default('').describe('For colleagues') }).nullish();

const resolution = z
  .strictObject({
    verdict: verdict.describe('What it was'),
    note: note.default('').describe('Why, for colleagues and for tuning'),
  })
  .meta({
    id: 'Resolution',
    examples: [{ verdict: 'true_positive', note: 'The owner did not recognise the address.' }],
  });

const missing = problemResponse('No such alert');
const malformed = problemResponse('Malformed request');
const conflict = problemResponse('The alert is resolved already');

/** Alerts: list, detail with evidence, OCSF export, and what analysts say of them. */
export function alertRoutes(deps: ApiDeps, publicUrl: () => string): FastifyPluginCallbackZod {
  const { reads, store, detectors } = deps;

  async function found(id: string) {
    const row = await reads.getAlert(id);
    if (row === null) throw notFound('alert');
    return row;
  }

  return (app, _options, done) => {
    app.get(
      '/v1/alerts',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['alerts'],
          summary: 'List alerts, latest first',
          querystring: query,
          response: { 200: jsonResponse(list, 'A page of alerts'), 400: malformed },
        },
      },
      async (request) => {
        const { cursor: before, limit: size, ...filters } = request.query;
        const rows = await reads.listAlerts({ ...filters, before, limit: size + 1 });
        const page = rows.slice(0, size);
        const last = page.at(-1);
        return {
          alerts: page.map((row) => toAlertView(row, publicUrl())),
          next: rows.length > size && last !== undefined ? toCursor(last) : undefined,
        };
      },
    );

    app.get(
      '/v1/alerts/:id',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['alerts'],
          summary: 'One alert with all that is known of it',
          description:
            'Findings with their measures, evidence, the decision, what was done, and what analysts said.',
          params: idParams('alert_id'),
          response: { 200: jsonResponse(alertDetail, 'The alert'), 404: missing },
        },
      },
      async (request) => detailOf(await found(request.params.id)),
    );

    app.get(
      '/v1/alerts/:id/ocsf',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['alerts'],
          summary: 'One alert as an OCSF Detection Finding',
          description:
            'Class 2004 of the Open Cybersecurity Schema Framework 1.8.0, for a SIEM or a data lake.',
          params: idParams('alert_id'),
          response: {
            200: z.record(z.string(), z.unknown()).describe('OCSF Detection Finding'),
            404: missing,
          },
        },
      },
      async (request) => {
        const row = await found(request.params.id);
        return toOcsf(row, { publicUrl: publicUrl(), productVersion: version(), detectors, review: row });
      },
    );

    app.post(
      '/v1/alerts/:id/acknowledge',
      {
        config: { access: 'operator' },
        schema: {
          tags: ['alerts'],
          summary: 'Say that you are looking into an alert',
          description: 'Doing so twice is doing so once.',
          params: idParams('alert_id'),
          body: acknowledgement,
          response: {
            200: jsonResponse(alertDetail, 'The alert as it stands now'),
            400: malformed,
            404: missing,
            409: conflict,
          },
        },
      },
      async (request) => {
        const row = await found(request.params.id);
        const step = { status: 'acknowledged', note: request.body?.note ?? '' } as const;
        return detailOf(await review(store, row, step, request.actor));
      },
    );

    app.post(
      '/v1/alerts/:id/resolve',
      {
        config: { access: 'operator' },
        schema: {
          tags: ['alerts'],
          summary: 'Close an alert with a verdict',
          description:
            'Resolving again with the same verdict changes nothing; with another one it is a conflict.',
          params: idParams('alert_id'),
          body: resolution,
          response: {
            200: jsonResponse(alertDetail, 'The alert as it stands now'),
            400: malformed,
            404: missing,
            409: conflict,
          },
        },
      },
      async (request) => {
        const row = await found(request.params.id);
        return detailOf(await review(store, row, { status: 'resolved', ...request.body }, request.actor));
      },
    );
    done();
  };

  async function detailOf(row: Awaited<ReturnType<typeof found>>) {
    const actions = await reads.listActions({ alert_id: row.alert_id, limit: 100 });
    return toAlertDetail(row, actions, publicUrl());
  }
}
