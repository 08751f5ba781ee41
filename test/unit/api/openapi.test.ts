import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type Harness } from './harness.ts';

interface Operation {
  summary?: string;
  tags?: string[];
  security?: unknown[];
  parameters?: { name: string; description?: string; in: string }[];
  requestBody?: { content: Record<string, unknown> };
  responses: Record<string, { description: string; content?: Record<string, unknown> }>;
}
interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
}

let api: Harness;
let document: OpenApi;
let operations: [name: string, operation: Operation][];
beforeAll(async () => {
  api = await startApi();
  document = (await api.app.inject('/openapi.json')).json<OpenApi>();
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method} ${path}`,
      operation,
    ]),
  );
});
afterAll(() => api.close());

describe('the description of the API', () => {
  it('describes the routes and not its own pages', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(operations).toHaveLength(22);
    expect(Object.keys(document.paths).some((path) => path.startsWith('/docs'))).toBe(false);
  });

  it('says of every operation what it does, what it answers and how it fails', () => {
    for (const [name, operation] of operations) {
      expect(operation.summary, name).toMatch(/^\w.{5,}/);
      expect(operation.tags, name).toHaveLength(1);
      const statuses = Object.keys(operation.responses);
      expect(
        statuses.some((status) => status.startsWith('2')),
        name,
      ).toBe(true);
      expect(statuses, name).toContain('default');
      if (operation.security !== undefined)
        expect(statuses, name).toEqual(expect.arrayContaining(['401', '403']));
      for (const [status, { description, content }] of Object.entries(operation.responses)) {
        expect(description, name).not.toBe('Default Response');
        if (!/^(2|503)/.test(status))
          expect(Object.keys(content ?? {}), name).toEqual(['application/problem+json']);
      }
    }
  });

  it('names every path parameter, and every parameter once', () => {
    for (const [name, { parameters = [] }] of operations) {
      const inPath = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      expect(
        parameters.filter((one) => one.in === 'path').map((one) => one.name),
        name,
      ).toEqual(inPath);
      expect(new Set(parameters.map((one) => `${one.in} ${one.name}`)).size, name).toBe(parameters.length);
    }
  });

  it('refers only to what is there, and has nothing that nobody refers to', () => {
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(
      ([, name]) => name,
    );
    expect([...new Set(references)].sort()).toEqual(Object.keys(document.components.schemas).sort());
  });

  it('says in which forms logs are pushed', () => {
    const push = document.paths['/v1/events/access']?.post;
    expect(Object.keys(push?.requestBody?.content ?? {})).toEqual([
      'application/x-ndjson',
      'application/jsonl',
      'application/json',
    ]);
  });
});

describe('/docs', () => {
  it('is a page that runs under its own content security policy', async () => {
    const page = await api.app.inject('/docs');
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-type']).toContain('text/html');
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toMatch(/unsafe-eval|upgrade-insecure-requests|validator\.swagger\.io/);
    const scripts = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path);
    expect(scripts.length).toBeGreaterThan(3);
    for (const path of scripts) {
      const url = new URL(path, 'http://localhost/docs/').pathname;
      expect((await api.app.inject(url)).statusCode, url).toBe(200);
    }
  });

  it('other answers may not be framed or sniffed', async () => {
    const { headers } = await api.app.inject('/healthz');
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' });
  });
});
