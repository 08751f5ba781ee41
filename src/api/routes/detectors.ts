import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { idParams } from '../params.ts';
import { jsonResponse, notFound, problemResponse } from '../problem.ts';
import { detectorView, toDetectorView } from '../views.ts';

const list = z.object({ detectors: z.array(detectorView) }).meta({ id: 'DetectorList' });

/**
 * The detectors and their runbooks. Public: alerts link here from mail and chat, where a browser sends no
 * credential, and what stands here is the product's documentation, not the configuration.
 */
export function detectorRoutes({ detectors }: ApiDeps): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    app.get(
      '/v1/detectors',
      {
        config: { access: 'public' },
        schema: {
          tags: ['detectors'],
          summary: 'List the detectors',
          response: { 200: jsonResponse(list, 'The detectors') },
        },
      },
      () => ({ detectors: detectors.map(toDetectorView) }),
    );

    app.get(
      '/v1/detectors/:id',
      {
        config: { access: 'public' },
        schema: {
          tags: ['detectors'],
          summary: 'What a detector catches, and its runbook',
          description:
            'Where alerts link to. A browser, and `Accept: text/markdown`, get the runbook as text.',
          params: idParams('Id of the detector'),
          response: {
            200: {
              description: 'The detector, or its runbook',
              content: {
                'application/json': { schema: detectorView },
                'text/markdown': { schema: z.string() },
                'text/plain': { schema: z.string() },
              },
            },
            404: problemResponse('No such detector'),
          },
        },
      },
      async (request, reply) => {
        const detector = detectors.find(({ id }) => id === request.params.id);
        if (detector === undefined) throw notFound('detector');
        const accept = request.headers.accept ?? '';
        const wanted = /text\/(markdown|html)/.exec(accept)?.[1];
        if (wanted === undefined) return reply.type('application/json').send(toDetectorView(detector));
        // Browsers show plain text and save Markdown.
        const type = wanted === 'markdown' ? 'text/markdown' : 'text/plain';
        return reply
          .type(`${type}; charset=utf-8`)
          .serializer((payload: unknown) => String(payload))
          .send(`# ${detector.title}\n\n${detector.description}\n\n${detector.runbook.trim()}\n`);
      },
    );
    done();
  };
}
