import swagger, { type SwaggerTransformObject } from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { version } from '../package.ts';
import { jsonResponse } from './problem.ts';

const DESCRIPTION = `Push gateway logs, read alerts and their evidence, and recall tokens.

Every call but the probes, the detectors and this page needs a credential: \`Authorization: Bearer …\`. A **reader**
looks, an **operator** acts as well, an **ingest** credential pushes logs and nothing else. Without configured
\`api.tokens\` one of each is generated in \`api-tokens.json\` under \`data_dir\`.

Times are RFC 3339 in UTC. Every answer that is not a success is \`application/problem+json\` (RFC 9457);
programs switch on its \`code\`.

Places: [IP Geolocation by DB-IP](https://db-ip.com), unless other databases are configured.`;

/** Every schema is generated as input and as output; the variant that nothing refers to goes. */
const withoutUnused: SwaggerTransformObject = (given) => {
  const document = jsonSchemaTransformObject(given);
  const schemas = 'components' in document ? (document.components.schemas ?? {}) : {};
  for (let unused: string[] | undefined; unused === undefined || unused.length > 0;) {
    const text = JSON.stringify(document);
    unused = Object.keys(schemas).filter((name) => !text.includes(`"#/components/schemas/${name}"`));
    for (const name of unused) Reflect.deleteProperty(schemas, name);
  }
  return document;
};

/** Describes the routes registered from here on, as OpenAPI 3.1 at /openapi.json and for people at /docs. */
export async function describeRoutes(app: FastifyInstance, publicUrl: string | undefined): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Token Recall',
        version: version(),
        description: DESCRIPTION,
        license: { name: 'Apache-2.0' },
      },
      ...(publicUrl === undefined ? {} : { servers: [{ url: publicUrl }] }),
      tags: [
        { name: 'alerts', description: 'Misuse found, and what analysts said of it' },
        { name: 'tokens', description: 'Where a token was used, by whom' },
        { name: 'recalls', description: 'What was asked to be revoked, and the proof' },
        { name: 'events', description: 'Logs in' },
        { name: 'detectors', description: 'What is looked for, and what to do when it is found' },
        { name: 'health', description: 'Probes and metrics' },
      ],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'A credential of `api.tokens`' },
        },
      },
    },
    transform: (document) =>
      // Pages of the user interface describe themselves; they are no part of the API.
      document.url.startsWith('/docs')
        ? { schema: { hide: true }, url: document.url }
        : jsonSchemaTransform(document),
    transformObject: withoutUnused,
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    // No credential is kept in the browser, and the document goes to nobody for validation.
    uiConfig: { persistAuthorization: false, validatorUrl: null, docExpansion: 'list' },
    staticCSP: true,
    // Plain HTTP on an inner network is a valid place for this page.
    transformStaticCSP: (header) =>
      header.replace(/ ?upgrade-insecure-requests;/, '').replace(' validator.swagger.io', ''),
  });
  app.get(
    '/openapi.json',
    {
      config: { access: 'public' },
      schema: {
        tags: ['health'],
        summary: 'This description, as OpenAPI 3.1',
        response: { 200: jsonResponse(z.record(z.string(), z.unknown()), 'OpenAPI document') },
      },
    },
    () => ({ ...app.swagger() }),
  );
}
