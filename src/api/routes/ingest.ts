import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { formats } from '../../formats/registry.ts';
import type { BatchOutcome, Stream } from '../../sources/port.ts';
import { readBody } from '../body.ts';
import type { ApiDeps } from '../deps.ts';
import { jsonResponse, problemResponse } from '../problem.ts';

const MEDIA_TYPES = ['application/x-ndjson', 'application/jsonl', 'application/json'];

const outcome = z
  .object({
    accepted: z.number().int().describe('Records that were events'),
    dead_letters: z.number().int().describe('Records that were none; table `dead_letters` says why'),
  })
  .meta({ id: 'PushOutcome' });

const bytes = z
  .custom<Uint8Array | undefined>((body) => body === undefined || body instanceof Uint8Array)
  .describe('The records');

const query = z.strictObject({
  format: z
    .enum(formats.map(({ name }) => name))
    .default('canonical')
    .describe('Format of the records'),
});

const DESCRIPTION = `One record a line (\`application/x-ndjson\` or \`application/jsonl\`), or as \`application/json\` one
record or an array of them; \`Content-Encoding: gzip\` is understood. The answer comes when the records, and all they
led to, are durable: after a 503, or no answer, send the same again; a repeated request id is stored once.
A record that is no event goes to the dead letters and disturbs no other.

\`\`\`
curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/x-ndjson' \\
     --data-binary @access.ndjson http://127.0.0.1:7300/v1/events/access
\`\`\``;

/**
 * Log push. Not rate limited: its answer waits until the records are durable, which is all the slowing down
 * that a well-meant sender needs, and a limit would only make it send again.
 */
export function ingestRoutes({ config, http }: ApiDeps): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    // This scope reads bodies itself: gzip, and one limit before and after decompression.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(MEDIA_TYPES, (_request: FastifyRequest, payload: IncomingMessage) =>
      readBody(payload, config.max_body),
    );

    const push = (stream: Stream, what: string) =>
      app.post(
        `/v1/events/${stream}`,
        {
          config: { access: 'ingest', rateLimit: false },
          schema: {
            tags: ['events'],
            summary: `Push ${what}`,
            description: DESCRIPTION,
            consumes: MEDIA_TYPES,
            querystring: query,
            body: bytes,
            response: {
              200: jsonResponse(outcome, 'Durable'),
              400: problemResponse('Malformed body or query'),
              413: problemResponse('Larger than `api.max_body`, before or after decompression'),
              415: problemResponse('Another Content-Type or Content-Encoding'),
              503: problemResponse('Not durable: send the same again after Retry-After'),
            },
          },
        },
        async (request) => {
          const body = request.body ?? new Uint8Array();
          const type = request.headers['content-type'] ?? 'application/x-ndjson';
          const result: BatchOutcome = await http.push(body, type, stream, request.query.format);
          return { accepted: result.accepted, dead_letters: result.deadLetters };
        },
      );

    push('access', 'access events: requests that a gateway logged');
    push('authorization', 'authorization events: what the authorization server did');
    done();
  };
}
