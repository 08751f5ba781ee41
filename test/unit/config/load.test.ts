import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { describeConfig, effectiveConfig } from '../../../src/config/describe.ts';
import { loadConfig, parseConfig } from '../../../src/config/load.ts';

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'recall-load-'));
  file = join(folder, 'c.yaml');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('loadConfig', () => {
  it('without a file is embedded, on loopback and in shadow mode', async () => {
    const { config, detectors, path } = await loadConfig(undefined, {});
    expect(path).toBeUndefined();
    expect(config.store.url).toBeUndefined();
    expect(config.api.host).toBe('127.0.0.1');
    expect(config.policy.mode).toBe('shadow');
    expect(detectors.map(({ definition }) => definition.id)).toContain('impossible-travel');
  });

  it.each(['', '# nothing but a comment\n', '{}\n'])('reads %j as everything by default', async (yaml) => {
    writeFileSync(file, yaml);
    expect((await loadConfig(file, {})).config).toEqual((await loadConfig(undefined, {})).config);
  });

  it('names the file that cannot be read', async () => {
    const missing = join(folder, 'missing.yaml');
    await expect(loadConfig(missing, {})).rejects.toMatchObject({
      code: 'ERR_CONFIG_READ',
      message: expect.stringContaining(missing) as string,
    });
  });

  it('leaves out a detector that is off and keeps the mode of one that only records', async () => {
    writeFileSync(
      file,
      'detectors:\n  token-replay: { enabled: false }\n  impossible-travel: { mode: shadow }\n',
    );
    const { detectors } = await loadConfig(file, {});
    const modes = new Map(detectors.map(({ definition, mode }) => [definition.id, mode]));
    expect(modes.has('token-replay')).toBe(false);
    expect(modes.get('impossible-travel')).toBe('shadow');
  });

  it.each([
    ['a public address without tokens', 'api:\n  host: 0.0.0.0\n', 'ERR_CONFIG_EXPOSED'],
    ['every IPv6 address', 'api:\n  host: "::"\n', 'ERR_CONFIG_EXPOSED'],
    ['that and something else', 'api:\n  host: 0.0.0.0\nx: 1\n', 'ERR_CONFIG_INVALID'],
  ])('refuses %s', async (_what, yaml, code) => {
    writeFileSync(file, yaml);
    const exposed = `${file}:2:9 api.host: the API would be open to others without credentials`;
    await expect(loadConfig(file, {})).rejects.toMatchObject({
      code,
      message: expect.stringContaining(exposed) as string,
    });
  });

  it.each([
    'api: { host: 127.0.0.2 }\n',
    'api: { host: "::1" }\n',
    'api: { host: a-name-that-only-the-start-can-resolve.example }\n',
    'api: { host: 0.0.0.0, enabled: false }\n',
    'api: { host: 0.0.0.0, tokens: [{ name: a, role: reader, token: sixteen-letters1 }] }\n',
  ])('has nothing against %s', async (yaml) => {
    writeFileSync(file, yaml);
    await expect(loadConfig(file, {})).resolves.toBeDefined();
  });
});

describe('parseConfig', () => {
  it('says what is wrong without a place', () => {
    expect(() => parseConfig({ policy: { mode: 'on' }, api: { port: -1 } })).toThrow(
      'policy.mode: not one of the choices (got "on", expected one of shadow, enforce)\n' +
        'api.port: too small (got -1, expected at least 0)',
    );
  });
});

describe('the effective configuration', () => {
  const secrets = ['broker-password', 'as-client-secret', 'webhook-hmac-key', 'reader-token-1234'];
  const [password, clientSecret, hmac, bearer] = secrets;
  const input = {
    sources: [
      {
        kind: 'kafka',
        brokers: ['b:9092'],
        topics: ['t'],
        sasl: { mechanism: 'plain', username: 'u', password },
      },
    ],
    authorization_servers: [
      {
        issuer: 'https://as.example',
        credential: { auth_method: 'none', client_id: 'a' },
        clients: [{ auth_method: 'client_secret_basic', client_id: 'b', client_secret: clientSecret }],
      },
    ],
    alert_sinks: [{ kind: 'webhook', url: 'https://sink.example', secret: hmac, timeout: '1500ms' }],
    api: { tokens: [{ name: 'a', role: 'reader', token: bearer }] },
    store: { url: `https://user:${String(password)}@ch.example` },
    detectors: { 'token-replay': { enabled: false }, 'scope-drift': { mode: 'shadow' } },
  };

  it('has no secret in it', () => {
    const yaml = describeConfig(parseConfig(input));
    for (const value of secrets) expect(yaml).not.toContain(value);
    expect(yaml).toContain('client_secret: "[redacted]"');
    expect(yaml).toContain('url: https://[redacted]@ch.example');
  });

  it('fills in defaults and writes durations and sizes as the file does', () => {
    const effective = effectiveConfig(parseConfig(input));
    expect(effective).toMatchObject({
      max_line: '1MiB',
      policy: { mode: 'shadow', max_event_age: '15m' },
      store: { flush_interval: '250ms', retention: { events: '90d' } },
      alert_sinks: [{ timeout: '1500ms' }],
      detectors: {
        'token-replay': { enabled: false },
        'scope-drift': { enabled: true, mode: 'shadow' },
        'impossible-travel': { enabled: true },
      },
    });
  });

  it('is itself a configuration, and the same one', () => {
    const effective = effectiveConfig(parseConfig({}));
    const again = parseConfig(parse(describeConfig(parseConfig({}))));
    expect(effectiveConfig(again)).toEqual(effective);
  });
});
