import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadConfig } from '../../../src/config/load.ts';
import { packageRoot, version } from '../../../src/package.ts';

const root = packageRoot();
const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
const service = z.object({
  image: z.string(),
  build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
});
const compose = z
  .object({ services: z.record(z.string(), service), volumes: z.record(z.string(), z.unknown()) })
  .parse(parse(text, { merge: true }));
const services = Object.entries(compose.services);
const environment = {
  CLICKHOUSE_PASSWORD: 'p',
  CUSTODY_KEY: 'A'.repeat(43) + '=',
  API_OPERATOR_TOKEN: 'o'.repeat(20),
  DEMO_CLIENT_SECRET: 's'.repeat(20),
};

describe('docker-compose.yml', () => {
  it.each(services)('%s: image pinned, ports on loopback only', (_name, { image, ports }) => {
    expect(image).toMatch(/:\d+\.\d+/);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it('names no secret', () => {
    const secretive = /PASSWORD|KEY$|TOKEN|SECRET/;
    for (const [, { environment: variables }] of services) {
      for (const [name, value] of Object.entries(variables)) {
        if (secretive.test(name)) expect(String(value), name).toMatch(/^\$\{[A-Z_]+:\?/);
      }
    }
    for (const [variable] of text.matchAll(/\$\{[A-Z_]+/g))
      expect(Object.keys(environment)).toContain(variable.slice(2));
  });

  it('points at files that exist and volumes that are declared', () => {
    for (const [name, { build, volumes }] of services) {
      if (build) expect(existsSync(join(root, build.context, build.dockerfile)), name).toBe(true);
      for (const volume of volumes) {
        const [from = ''] = volume.split(':');
        if (from.startsWith('.')) expect(existsSync(join(root, from)), volume).toBe(true);
        else expect(Object.keys(compose.volumes)).toContain(from);
      }
    }
    for (const [, from] of readFileSync(join(root, 'deploy/Dockerfile'), 'utf8').matchAll(
      /^COPY (?!--from)(.+) \S+$/gm,
    )) {
      for (const path of from?.split(' ') ?? []) expect(existsSync(join(root, path)), path).toBe(true);
    }
  });

  it('waits for services that say when they are healthy, and for tasks that end', () => {
    const tasks = ['topics', 'migrate'];
    for (const [name, { depends_on }] of services) {
      for (const [needed, { condition }] of Object.entries(depends_on)) {
        expect(compose.services[needed], `${name} needs ${needed}`).toBeDefined();
        expect(condition).toBe(tasks.includes(needed) ? 'service_completed_successfully' : 'service_healthy');
      }
    }
    for (const [name, { healthcheck }] of services)
      expect(healthcheck !== undefined, name).toBe(!tasks.includes(name));
  });

  it('builds one image, of this version', () => {
    const built = services.filter(([, { build }]) => build !== undefined).map(([, { image }]) => image);
    expect(new Set(built)).toEqual(new Set([`token-recall:${version()}`]));
  });
});

describe('the configuration it mounts', () => {
  it('is valid, and reaches the services by the names and ports they have', async () => {
    const { config } = await loadConfig(join(root, 'deploy/token-recall.yaml'), environment);
    const created = [...text.matchAll(/for topic in ([^;]+);/g)].flatMap(
      ([, names]) => names?.split(' ') ?? [],
    );
    const { repartition } = config;
    expect(repartition?.brokers).toEqual(['kafka:19092']);
    expect(created).toEqual(expect.arrayContaining([repartition?.topic, `${repartition?.topic}.dlq`]));
    for (const source of config.sources) {
      if (source.kind !== 'kafka') throw new Error('expected Kafka sources only');
      expect(source.brokers).toEqual(['kafka:19092']);
      for (const topic of source.topics)
        expect(created).toEqual(expect.arrayContaining([topic, `${topic}.dlq`]));
    }
    for (const sink of config.alert_sinks) if (sink.kind === 'kafka') expect(created).toContain(sink.topic);
    expect(compose.services['kafka']?.environment['KAFKA_ADVERTISED_LISTENERS']).toContain(
      'INTERNAL://kafka:19092',
    );
    expect(config.store.url).toBe('http://clickhouse:8123');
    expect(config.store.username).toBe(compose.services['clickhouse']?.environment['CLICKHOUSE_USER']);
    expect(config.store.database).toBe(compose.services['clickhouse']?.environment['CLICKHOUSE_DB']);
    expect(compose.services['worker']?.ports).toEqual([`127.0.0.1:${config.api.port}:${config.api.port}`]);
    const issuer = config.authorization_servers[0]?.issuer;
    expect(compose.services['authorization-server']?.command).toContain(issuer);
  });

  it('serves more workers too, which publish no port', () => {
    const more = compose.services['more-workers'];
    expect(more).toEqual({ ...compose.services['worker'], ports: [] });
  });

  it('gives each service the variables that its configuration asks for', () => {
    const asked = [
      ...readFileSync(join(root, 'deploy/token-recall.yaml'), 'utf8').matchAll(/\$\{([A-Z_]+)/g),
    ].map(([, name]) => name);
    for (const name of ['worker', 'migrate']) {
      expect(Object.keys(compose.services[name]?.environment ?? {})).toEqual(expect.arrayContaining(asked));
    }
  });
});
