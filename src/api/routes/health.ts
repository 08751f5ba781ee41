import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { jsonResponse } from '../problem.ts';

const alive = z.object({ status: z.literal('ok') }).meta({ id: 'Alive' });

const readiness = z
  .object({
    ready: z.boolean().describe('Whether events are taken in and handled'),
    components: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string() })),
  })
  .meta({ id: 'Readiness' });

/** Probes and metrics. Probes need no credential; they are answered from memory. */
export function healthRoutes(deps: ApiDeps): FastifyPluginCallbackZod {
  const { registry } = deps.metrics;
  return (app, _options, done) => {
    app.get(
      '/healthz',
      {
        config: { access: 'public', rateLimit: false },
        schema: {
          tags: ['health'],
          summary: 'Whether the process lives',
          description: 'Liveness: 200 as long as the process answers at all, whatever its parts do.',
          response: { 200: jsonResponse(alive, 'It lives') },
        },
      },
      () => ({ status: 'ok' as const }),
    );

    app.get(
      '/readyz',
      {
        config: { access: 'public', rateLimit: false },
        schema: {
          tags: ['health'],
          summary: 'Whether events are taken in and handled',
          description:
            'Readiness: 503 while a part is away that handling events needs; `components` says which.',
          response: { 200: jsonResponse(readiness, 'Ready'), 503: jsonResponse(readiness, 'Not ready') },
        },
      },
      async (_request, reply) => {
        const report = deps.health();
        return reply.code(report.ready ? 200 : 503).send(report);
      },
    );

    app.get(
      '/metrics',
      {
        config: { access: 'reader', rateLimit: false },
        schema: {
          tags: ['health'],
          summary: 'Metrics for Prometheus',
          response: {
            200: {
              description: 'Prometheus text exposition format',
              content: { 'text/plain': { schema: z.string() } },
            },
          },
        },
      },
      async (_request, reply) => {
        const text = await registry.metrics();
        return reply
          .type(registry.contentType)
          .serializer((payload: unknown) => String(payload))
          .send(text);
      },
    );
    done();
  };
}
