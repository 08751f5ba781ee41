import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { problemLines } from './problem-lines.ts';

const kafka = 'sources:\n  - kind: kafka\n';
const DURATION = 'expected a duration such as 500ms, 30s, 15m, 12h or 30d';

describe('each problem is said in one line, with its place', () => {
  const cases: [rule: string, yaml: string, lines: string[]][] = [
    [
      'an unknown option, with what was probably meant, at the key',
      'api:\n  hots: 127.0.0.1\n',
      [
        'c.yaml:2:3 api.hots: unknown option, did you mean host? (got hots, expected one of enabled, host, port, tokens, max_body, public_url)',
      ],
    ],
    [
      'an unknown option that is like none',
      'api:\n  colour: blue\n',
      [
        'c.yaml:2:3 api.colour: unknown option (got colour, expected one of enabled, host, port, tokens, max_body, public_url)',
      ],
    ],
    [
      'an unknown option of the kind of source that was chosen',
      'sources:\n  - kind: file\n    path: a\n    topics: [x]\n',
      [
        'c.yaml:4:5 sources[0].topics: unknown option (got topics, expected one of kind, path, follow, stream, format)',
      ],
    ],
    [
      'a duplicate option, at the second',
      'data_dir: a\nlog_level: info\ndata_dir: b\n',
      ['c.yaml:3:1 data_dir: option is given more than once (got 2 of them, expected one)'],
    ],
    [
      'a tab as indentation',
      'api:\n\tport: 1\n',
      ['c.yaml:2:1 top level: Tabs are not allowed as indentation'],
    ],
    [
      'text that is no YAML, without quoting it',
      'data_dir: }hunter2{\n',
      ['c.yaml:1:11 top level: not valid YAML here'],
    ],
    [
      'two documents',
      '---\n{}\n---\n{}\n',
      ['c.yaml:3:1 top level: more than one YAML document in the file'],
    ],
    ['a tag', 'data_dir: !env X\n', ['c.yaml:1:11 top level: YAML tags are not supported']],
    [
      'an expansion that YAML reads as a mapping',
      'policy: { mode: ${MODE} }\n',
      ['c.yaml:1:18 top level: an expansion within [ ] or { } must be in quotes'],
    ],
    [
      'an alias of nothing',
      'data_dir: *nowhere\n',
      ['c.yaml:1:1 top level: Unresolved alias (the anchor must be set before the alias): nowhere'],
    ],
    ['a list as the file', '- a\n', ['c.yaml:1:1 top level: wrong type (got a list, expected a mapping)']],
    [
      'an option missing, at its parent',
      `${kafka}    brokers: [b]\n    topics: [t]\n    sasl:\n      mechanism: plain\n      username: u\n`,
      ['c.yaml:5:5 sources[0].sasl.password: is required (got nothing, expected text)'],
    ],
    [
      'an option missing in an entry of a list, at the entry',
      `${kafka}    topics: [t]\n`,
      ['c.yaml:2:5 sources[0].brokers: is required (got nothing, expected a list)'],
    ],
    [
      'an empty mapping, at its key',
      'policy:\napi: {}\n',
      ['c.yaml:1:1 policy: wrong type (got nothing, expected a mapping)'],
    ],
    [
      'an empty entry of a list, at its place',
      'sources:\n  -\n',
      ['c.yaml:2:4 sources[0]: wrong type (got nothing, expected a mapping)'],
    ],
    [
      'a value of the wrong type, at the value',
      'api:\n  port: "80"\n',
      ['c.yaml:2:9 api.port: wrong type (got "80", expected a number)'],
    ],
    [
      'a fraction where a whole number is wanted',
      'policy: { min_signals: 1.5 }\n',
      ['c.yaml:1:24 policy.min_signals: wrong type (got 1.5, expected a whole number)'],
    ],
    [
      'YAML 1.1 booleans',
      'api:\n  enabled: yes\n',
      ['c.yaml:2:12 api.enabled: wrong type (got "yes", expected true or false)'],
    ],
    [
      'a value that is none of the choices',
      'policy:\n  mode: enforc\n',
      [
        'c.yaml:2:9 policy.mode: not one of the choices, did you mean enforce? (got "enforc", expected one of shadow, enforce)',
      ],
    ],
    [
      'a kind that there is not',
      'sources:\n  - kind: kafak\n',
      [
        'c.yaml:2:11 sources[0].kind: not one of the choices, did you mean kafka? (got "kafak", expected one of kafka, file, stdin)',
      ],
    ],
    [
      'a kind that is missing',
      'sources:\n  - path: x\n',
      ['c.yaml:2:5 sources[0].kind: is required (got nothing, expected one of kafka, file, stdin)'],
    ],
    [
      'a number too large',
      'api: { port: 70000 }\n',
      ['c.yaml:1:14 api.port: too large (got 70000, expected at most 65535)'],
    ],
    [
      'a number too small',
      'detection: { max_keys: 5 }\n',
      ['c.yaml:1:24 detection.max_keys: too small (got 5, expected at least 1000)'],
    ],
    [
      'an empty text',
      'data_dir: ""\n',
      ['c.yaml:1:11 data_dir: too small (got "", expected text that is not empty)'],
    ],
    [
      'an empty list',
      `${kafka}    brokers: []\n    topics: [t]\n`,
      ['c.yaml:3:14 sources[0].brokers: too small (got a list, expected at least one entry)'],
    ],
    [
      'a duration',
      'policy:\n  max_event_age: 15 min\n',
      [`c.yaml:2:18 policy.max_event_age: wrong format (got "15 min", ${DURATION})`],
    ],
    [
      'a size',
      'max_line: 1MB\n',
      ['c.yaml:1:11 max_line: wrong format (got "1MB", expected a size such as 512KiB, 1MiB or 2GiB)'],
    ],
    [
      'a URL',
      'alert_sinks:\n  - { kind: webhook, url: example, secret: s }\n',
      ['c.yaml:2:27 alert_sinks[0].url: not a URL (got "example", expected an http:// or https:// URL)'],
    ],
    [
      'text in place of a list, which may be one of its secrets',
      'api:\n  tokens: correct-horse-battery\n',
      ['c.yaml:2:11 api.tokens: wrong type (got text, expected a list)'],
    ],
    [
      'a secret of the wrong type',
      'store:\n  password: 271828\n',
      ['c.yaml:2:13 store.password: wrong type (got a number, expected text: put it in quotes)'],
    ],
    [
      'a detector that there is not',
      'detectors:\n  imposible-travel: {}\n',
      [
        expect.stringContaining(
          'c.yaml:2:3 detectors.imposible-travel: unknown option, did you mean impossible-travel?',
        ) as string,
      ],
    ],
    [
      'an option that a detector has not',
      'detectors:\n  token-replay:\n    enabld: false\n',
      [
        expect.stringContaining(
          'c.yaml:3:5 detectors.token-replay.enabld: unknown option, did you mean enabled?',
        ) as string,
      ],
    ],
  ];
  it.each(cases)('%s', async (_rule, yaml, lines) => {
    expect(await problemLines(yaml)).toEqual(lines);
  });
});

describe('problems together', () => {
  it('are all said at once, in the order of the file, one for each place', async () => {
    const yaml = [
      'log_level: loud',
      'policy:',
      '  revoke_threshold: 1.5',
      '  never_revoke: { networks: [nowhere] }',
      'store:',
      '  password: ${DB_PASSWORD}',
      'data_dr: x',
      '',
    ].join('\r\n');
    const places = (await problemLines(yaml)).map((line) => line.split(': ')[0]);
    expect(places).toEqual([
      'c.yaml:1:12 log_level',
      'c.yaml:3:21 policy.revoke_threshold',
      'c.yaml:4:30 policy.never_revoke.networks[0]',
      'c.yaml:6:13 store.password',
      'c.yaml:7:1 data_dr',
    ]);
  });

  it('never carry a secret, from wherever it came', async () => {
    const secret = 'correct-horse-battery-staple';
    const folder = mkdtempSync(join(tmpdir(), 'recall-secret-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'secret'), `${secret}\n`);
    const lines = await problemLines(
      [
        'api:',
        `  tokens: [{ name: a, role: admin, token: [${secret}] }]`,
        '  port: ${LEAK}',
        '  enabled: "${file:' + join(folder, 'secret') + '}"',
        'log_level: ${LEAK}',
        'enrich: { trusted_proxies: ["${LEAK}"] }',
        'store:',
        `  password: { value: ${secret} }`,
        'authorization_servers:',
        `  - ${secret}`,
        `  - issuer: &leak "\${LEAK}"`,
        '    credential: *leak',
        'alert_sinks:',
        `  - { kind: webhook, url: "ftp://user:${secret}@sink.example", secret: s }`,
        `custody: { key: ${secret}! }`,
        `pasword: ${secret}`,
        '',
      ].join('\n'),
      { LEAK: secret },
    );
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.join('\n')).not.toContain(secret);
    expect(lines).toContain('c.yaml:3:9 api.port: wrong type (got the value of ${LEAK}, expected a number)');
  });
});
