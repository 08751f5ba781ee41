import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { deadLetter } from '../../../schemas/dead-letter.ts';
import { rfc3339 } from '../../alerts/line.ts';
import { createDeadLetterReads, type StoredDeadLetter } from '../../store/dead-letters.ts';
import { cursor, toCursor } from '../cursor.ts';
import type { ApiDeps } from '../deps.ts';
import { idParams, limit, shortText, time } from '../params.ts';
import { jsonResponse, notFound, problemResponse } from '../problem.ts';
import { instant } from '../views.ts';

/** Most letters that one request hands over: its answer is waited for. */
const MOST_AT_ONCE = 5000;

const view = deadLetter
  .omit({ sealed: true })
  .extend({
    received_at: instant.describe('When it arrived'),
    kept: z
      .boolean()
      .describe('Whether the original is there, sealed; without it there is nothing to redrive'),
    redriven: z
      .object({
        at: instant,
        actor: z.string().describe('Who did it'),
        outcome: z.enum(['accepted', 'refused']).describe('accepted: it is an event now'),
        detail: z.string(),
      })
      .optional()
      .describe('When it was last handed over again, if ever'),
  })
  .meta({ id: 'DeadLetter', description: 'A record that is no event' });

const query = z.strictObject({
  source: shortText.optional().describe('Name of the source, such as `kafka:gateway-access`'),
  code: shortText.optional().describe('Error code, such as `ERR_DECODE_TIME`'),
  since: time.optional().describe('Arrived at or after, RFC 3339'),
  until: time.optional().describe('Arrived before, RFC 3339'),
  redriven: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional()
    .describe('Only those that were, or were not, handed over again'),
  limit,
  cursor: cursor
    // Sorted by arrival where alerts are by update.
    .transform(({ updated, alert_id }) => ({ received_at: updated, dead_letter_id: alert_id }))
    .optional()
    .describe('`next` of the page before'),
});

const list = z
  .object({
    dead_letters: z.array(view),
    next: z.string().optional().describe('`cursor` of the next page; absent on the last one'),
  })
  .meta({ id: 'DeadLetterList' });

const redriveBody = z
  .strictObject({
    ids: z.array(shortText).min(1).max(100).optional().describe('Only these'),
    source: shortText.optional().describe('Only of this source'),
    code: shortText.optional().describe('Only with this error code'),
    since: time.optional().describe('Only what arrived at or after, RFC 3339'),
    again: z.boolean().default(false).describe('Also those that were handed over before'),
    dry_run: z.boolean().default(false).describe('Only say which would be events now'),
    limit: z.number().int().min(1).max(MOST_AT_ONCE).default(1000).describe('Most letters to look at'),
  })
  .meta({ id: 'RedriveRequest', examples: [{ code: 'ERR_DECODE_TIME', dry_run: true }] });

const count = z.number().int();

const report = z
  .object({
    dry_run: z.boolean(),
    examined: count.describe('Letters looked at'),
    outcomes: z.object({
      accepted: count.describe('Events now'),
      refused: count.describe('Set aside anew by the worker'),
      decodes: count.describe('Would be handed over, were it no dry run'),
      undecodable: count.describe('Still no events'),
      no_original: count.describe('Not kept, or sealed with another key'),
    }),
    more: z.boolean().describe('Whether `limit` left some unseen'),
    letters: z.array(
      z.object({
        dead_letter_id: z.string(),
        outcome: z.enum(['accepted', 'refused', 'decodes', 'undecodable', 'no_original']),
        detail: z.string().describe('Why, in words'),
      }),
    ),
  })
  .meta({ id: 'RedriveReport' });

/** A letter of a list, whose `sealed` is empty and no part of the answer. */
function toView({ received_at, redriven, ...letter }: StoredDeadLetter): z.infer<typeof view> {
  return {
    ...letter,
    received_at: rfc3339(received_at),
    redriven: redriven && { ...redriven, at: rfc3339(redriven.at) },
  };
}

/** Dead letters: list, look at, hand over again. The originals never leave through here: they may hold tokens. */
export function deadLetterRoutes(deps: ApiDeps): FastifyPluginCallbackZod {
  const letters = createDeadLetterReads(deps.store);
  return (app, _options, done) => {
    app.get(
      '/v1/dead-letters',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['events'],
          summary: 'List records that were no events, latest first',
          querystring: query,
          response: {
            200: jsonResponse(list, 'A page of dead letters'),
            400: problemResponse('Malformed query'),
          },
        },
      },
      async (request) => {
        const { cursor: before, limit: size, ...filter } = request.query;
        const rows = await letters.list({ ...filter, before, limit: size + 1 });
        const page = rows.slice(0, size);
        const last = page.at(-1);
        const more = rows.length > size && last !== undefined;
        return {
          dead_letters: page.map(toView),
          next: more ? toCursor({ updated: last.received_at, alert_id: last.dead_letter_id }) : undefined,
        };
      },
    );

    app.get(
      '/v1/dead-letters/:id',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['events'],
          summary: 'One dead letter',
          description:
            'With an excerpt in which everything that could be a token is masked. The original itself is opened by ' +
            '`token-recall dead-letters show`, beside the worker.',
          params: idParams('dead_letter_id'),
          response: {
            200: jsonResponse(view, 'The dead letter'),
            404: problemResponse('No such dead letter'),
          },
        },
      },
      async (request) => {
        const [letter] = await letters.list({ ids: [request.params.id], limit: 1 });
        if (letter === undefined) throw notFound('dead letter');
        return toView(letter);
      },
    );

    app.post(
      '/v1/dead-letters/redrive',
      {
        config: { access: 'operator' },
        schema: {
          tags: ['events'],
          summary: 'Decode dead letters again and take in those that are events now',
          description:
            'After a change of format or configuration, or of this program. What was handed over before is left out ' +
            'unless `again` is set; an event that was stored after all is not stored twice. Marked in the letters and ' +
            'in the audit trail. Where `more` is true, ask again.',
          body: redriveBody,
          response: {
            200: jsonResponse(report, 'What became of each'),
            400: problemResponse('Malformed body'),
            503: problemResponse('Not all handed over: ask again after Retry-After'),
          },
        },
      },
      (request) => deps.redrive(request.body, request.actor),
    );
    done();
  };
}
