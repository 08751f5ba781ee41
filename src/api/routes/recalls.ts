import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { actionState } from '../../../schemas/action.ts';
import { handleKind } from '../../../schemas/finding.ts';
import type { ApiDeps } from '../deps.ts';
import { idParams, limit, looksLikeToken, shortText } from '../params.ts';
import { jsonResponse, notFound, Problem, problemResponse } from '../problem.ts';
import { actionView, toActionView } from '../views.ts';

const query = z.strictObject({
  state: actionState.optional().describe('Where the action stands'),
  handle: handleKind.optional().describe('What was recalled'),
  value: shortText.optional().describe('Which one: token hash or jti'),
  alert_id: shortText.optional().describe('The alert it came from'),
  limit,
});

const list = z.object({ recalls: z.array(actionView) }).meta({ id: 'RecallList' });

const recallBody = z
  .strictObject({
    handle: handleKind.describe('What to recall; `token` is what can be recalled now'),
    value: shortText.describe('Hash (base64url SHA-256) or jti of the token, never the token itself'),
    reason: z.string().min(1).max(2000).describe('Why, for the audit trail'),
    alert_id: shortText.optional().describe('The alert it answers'),
  })
  .meta({
    id: 'RecallRequest',
    examples: [
      { handle: 'token', value: 'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo', reason: 'seen in a paste' },
    ],
  });

/** Recalls: what was asked for, by policy and by people, and what came of it. */
export function recallRoutes(deps: ApiDeps): FastifyPluginCallbackZod {
  const { reads } = deps;
  return (app, _options, done) => {
    app.get(
      '/v1/recalls',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['recalls'],
          summary: 'List recalls, latest first',
          querystring: query,
          response: {
            200: jsonResponse(list, 'The recalls'),
            400: problemResponse('Malformed query'),
          },
        },
      },
      async (request) => ({ recalls: (await reads.listActions(request.query)).map(toActionView) }),
    );

    app.get(
      '/v1/recalls/:id',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['recalls'],
          summary: 'One recall and its receipt',
          description: '`confirmed` means proven: the authorization server says that the token is dead.',
          params: idParams('action_id'),
          response: { 200: jsonResponse(actionView, 'The recall'), 404: problemResponse('No such recall') },
        },
      },
      async (request) => {
        const action = await reads.getAction(request.params.id);
        if (action === null) throw notFound('recall');
        return toActionView(action);
      },
    );

    app.post(
      '/v1/recalls',
      {
        config: { access: 'operator' },
        schema: {
          tags: ['recalls'],
          summary: 'Recall a token by hand',
          description:
            'Answers 202 once the recall is durable; follow `Location` for the receipt. Carried out whatever the ' +
            'mode of policy, and whatever its never-revoke lists say: those bind policy, not the person who asks.',
          body: recallBody,
          response: {
            202: jsonResponse(actionView, 'Taken; carried out next'),
            400: problemResponse('Malformed body'),
            409: problemResponse('Cannot be carried out; `detail` says what is missing'),
            422: problemResponse('This kind of handle cannot be recalled now'),
            503: problemResponse('Not taken: ask again after Retry-After'),
          },
        },
      },
      async (request, reply) => {
        const { handle, ...rest } = request.body;
        if (handle !== 'token') {
          const detail = `A ${handle} cannot be recalled yet. What can be recalled now: token.`;
          throw new Problem(422, 'unsupported_handle', detail);
        }
        if (looksLikeToken(rest.value)) {
          const detail = 'value is a raw token; send its hash. POST /v1/tokens/lookup computes it.';
          throw new Problem(422, 'raw_token', detail);
        }
        const action = await deps.requestRecall({ handle, ...rest }, request.actor);
        return reply
          .code(202)
          .header('location', `/v1/recalls/${encodeURIComponent(action.action_id)}`)
          .send(toActionView(action));
      },
    );
    done();
  };
}
