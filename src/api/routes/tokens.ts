import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { tokenHash } from '../../formats/hash.ts';
import type { ApiDeps } from '../deps.ts';
import { idParams, limit, looksLikeToken } from '../params.ts';
import { jsonResponse, notFound, Problem, problemResponse } from '../problem.ts';
import { tokenUseView, tokenView, toTokenUseView, toTokenView } from '../token-views.ts';

const missing = problemResponse('No such token was seen');
const malformed = problemResponse('Malformed request');

const uses = z.object({ uses: z.array(tokenUseView) }).meta({ id: 'TokenUses' });

const lookupBody = z
  .strictObject({ token: z.string().min(1).max(16_384).describe('The raw access token') })
  .meta({ id: 'TokenLookup' });

/** Tokens: the ledger row, and where a token was used. */
export function tokenRoutes({ reads }: ApiDeps): FastifyPluginCallbackZod {
  async function found(id: string) {
    const row = await reads.getToken(id);
    if (row === null) throw notFound('token');
    return row;
  }

  /** A token in a URL would stand in the logs of whatever the request came through. */
  function refuseRawToken(id: string): void {
    if (!looksLikeToken(id)) return;
    const detail = 'The URL holds a raw token, which proxies log. Ask with POST /v1/tokens/lookup instead.';
    throw new Problem(400, 'raw_token', detail);
  }

  return (app, _options, done) => {
    app.get(
      '/v1/tokens/:id',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['tokens'],
          summary: 'What is known of a token',
          description:
            '`id` is the hash of the token (base64url SHA-256, the `ath` of RFC 9449) or its `jti`.',
          params: idParams('Hash or jti of the token'),
          response: { 200: jsonResponse(tokenView, 'The ledger row'), 400: malformed, 404: missing },
        },
      },
      async (request) => {
        refuseRawToken(request.params.id);
        return toTokenView(await found(request.params.id));
      },
    );

    app.get(
      '/v1/tokens/:id/uses',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['tokens'],
          summary: 'Where a token was used, latest first',
          params: idParams('Hash or jti of the token'),
          querystring: z.strictObject({ limit }),
          response: {
            200: jsonResponse(uses, 'The uses'),
            400: malformed,
            404: missing,
          },
        },
      },
      async (request) => {
        const { id } = request.params;
        refuseRawToken(id);
        await found(id);
        return { uses: (await reads.tokenUses(id, request.query.limit)).map(toTokenUseView) };
      },
    );

    app.post(
      '/v1/tokens/lookup',
      {
        config: { access: 'reader' },
        schema: {
          tags: ['tokens'],
          summary: 'What is known of a raw token',
          description: 'For who holds the token itself. It is hashed here, and neither logged nor kept.',
          body: lookupBody,
          response: { 200: jsonResponse(tokenView, 'The ledger row'), 400: malformed, 404: missing },
        },
      },
      async (request) => toTokenView(await found(tokenHash(request.body.token))),
    );
    done();
  };
}
