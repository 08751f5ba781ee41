import { describe, expect, it } from 'vitest';
import { problemLines } from './problem-lines.ts';

const server = (issuer: string) =>
  `  - { issuer: '${issuer}', credential: { auth_method: none, client_id: a } }\n`;
const NETWORK = 'expected CIDR notation such as 192.0.2.0/24, 192.0.2.7/32 or 2001:db8::/32';

describe('a rule between options, or past the form of one, is said in one line with its place', () => {
  const cases: [rule: string, yaml: string, lines: string[]][] = [
    [
      'an alert threshold above the approval threshold',
      'policy:\n  alert_threshold: 0.7\n  approval_threshold: 0.6\n',
      [
        'c.yaml:3:23 policy.approval_threshold: alert_threshold is above approval_threshold (got 0.6, expected at least alert_threshold)',
      ],
    ],
    [
      'an approval threshold above the default of the revoke threshold',
      'policy:\n  approval_threshold: 0.95\n',
      [
        'c.yaml:2:23 policy.approval_threshold: approval_threshold is above revoke_threshold (got 0.95, expected at most revoke_threshold, by default 0.9)',
      ],
    ],
    [
      'two servers with one issuer',
      `authorization_servers:\n${server('https://as.example')}${server('https://as.example')}`,
      [
        'c.yaml:3:15 authorization_servers[1].issuer: the same as authorization_servers[0].issuer (got "https://as.example", expected another one)',
      ],
    ],
    [
      'two default servers',
      `authorization_servers:\n  - default: true\n    issuer: https://a.example\n    credential: &c { auth_method: none, client_id: a }\n  - default: true\n    issuer: https://b.example\n    credential: *c\n`,
      [
        'c.yaml:5:14 authorization_servers[1].default: a second default server (got true, expected one at most)',
      ],
    ],
    [
      'an API token that can be guessed',
      'api:\n  tokens:\n    - { name: a, role: reader, token: fifteen-letters }\n',
      [
        'c.yaml:3:39 api.tokens[0].token: too short (got 15 characters, expected at least 16, chosen at random)',
      ],
    ],
    [
      'two API tokens of one name',
      'api:\n  tokens:\n    - { name: a, role: reader, token: sixteen-letters1 }\n    - { name: a, role: reader, token: sixteen-letters2 }\n',
      ['c.yaml:4:15 api.tokens[1].name: the same as api.tokens[0].name (got "a", expected another one)'],
    ],
    [
      'a trusted proxy that is no network',
      'enrich:\n  trusted_proxies: [10.0.0.0/8, 10.0.0.1]\n',
      [`c.yaml:2:33 enrich.trusted_proxies[1]: not a network (got "10.0.0.1", ${NETWORK})`],
    ],
    [
      'a network with an impossible prefix',
      'enrich:\n  networks:\n    - class: hosting\n      cidrs: ["2001:db8::/129"]\n',
      [`c.yaml:4:15 enrich.networks[0].cidrs[0]: not a network (got "2001:db8::/129", ${NETWORK})`],
    ],
    [
      'a network with fewer than four parts, which programs read differently',
      'policy:\n  never_revoke:\n    networks:\n      - 10/8\n',
      [`c.yaml:4:9 policy.never_revoke.networks[0]: not a network (got "10/8", ${NETWORK})`],
    ],
    [
      'a custody key of the wrong length',
      `custody:\n  key: ${Buffer.alloc(16).toString('base64')}\n`,
      [
        'c.yaml:2:8 custody.key: not a 32-byte key in base64 (got 24 characters, expected 32 bytes in base64, 44 characters, as `openssl rand -base64 32` makes them)',
      ],
    ],
    [
      'a custody key that is not base64',
      `custody:\n  key: a${'!'.repeat(43)}\n`,
      [
        'c.yaml:2:8 custody.key: not a 32-byte key in base64 (got 44 characters, expected 32 bytes in base64, 44 characters, as `openssl rand -base64 32` makes them)',
      ],
    ],
    [
      'an address of ClickHouse that is no URL, without the password in it',
      'store:\n  url: user:hunter2@clickhouse:8123\n',
      [
        'c.yaml:2:8 store.url: not a URL (got "[redacted]@clickhouse:8123", expected an http:// or https:// URL)',
      ],
    ],
    [
      'an endpoint that is no URL',
      'authorization_servers:\n  - issuer: https://as.example\n    revocation_endpoint: /revoke\n    credential: { auth_method: none, client_id: a }\n',
      [
        'c.yaml:3:26 authorization_servers[0].revocation_endpoint: not a URL (got "/revoke", expected an http:// or https:// URL)',
      ],
    ],
    [
      'an authorization server that tokens would reach in clear, except on this machine or where it is allowed',
      `authorization_servers:\n${server('http://127.0.0.1:3000')}${server('http://[::1]:3000')}${server('http://localhost:3000')}${server('http://as.example')}  - { issuer: 'http://in.example', insecure_http: true, credential: { auth_method: none, client_id: a } }\n`,
      [
        'c.yaml:5:15 authorization_servers[3].issuer: tokens would travel in clear (got "http://as.example", expected https://, or insecure_http: true)',
      ],
    ],
    [
      'a cluster without its shards',
      'store:\n  url: http://c.example\n  cluster: main\n',
      [
        'c.yaml:3:12 store.cluster: store.cluster needs to know where its tables are made (got one of them, expected store.shards, or on_cluster: true where the cluster has Keeper)',
      ],
    ],
    [
      'shards of no cluster',
      'store:\n  url: http://c.example\n  shards: [http://c.example]\n',
      [
        'c.yaml:3:11 store.shards: store.shards needs store.cluster (got one of them, expected both, or neither)',
      ],
    ],
    [
      'a cluster whose tables are to be made in two ways, under a name that is none',
      'store:\n  cluster: "a\'b"\n  on_cluster: true\n  shards: [http://c.example]\n  url: http://c.example\n',
      [
        `c.yaml:2:12 store.cluster: not a cluster name (got "a'b", expected letters, digits, _ . -)`,
        'c.yaml:3:15 store.on_cluster: store.on_cluster beside store.shards (got both, expected one of them: either says where tables are made)',
      ],
    ],
    [
      'replicas without the Keeper that on_cluster stands for',
      'store:\n  url: http://c.example\n  replicated: true\n',
      [
        'c.yaml:3:15 store.replicated: store.replicated needs store.on_cluster (got one of them, expected on_cluster: true)',
      ],
    ],
  ];
  it.each(cases)('%s', async (_rule, yaml, lines) => {
    expect(await problemLines(yaml)).toEqual(lines);
  });
});
