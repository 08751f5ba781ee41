import ipaddr from 'ipaddr.js';
import { REPARTITION_GROUP } from '../../schemas/config-sources.ts';
import { config } from '../../schemas/config.ts';
import { formatPath, renderGot, type Problem } from './problem.ts';
import { fieldOf, valueAt } from './schema-walk.ts';

/** Least length of an API token; with random characters 16 of them are past guessing. */
const MIN_TOKEN_LENGTH = 16;

/** A value of the file and where it is. */
interface Place {
  path: PropertyKey[];
  value: unknown;
}

/**
 * Holds a configuration against the rules that concern several options at once, or more than an option's form.
 * Reads whatever is readable, so that these problems are found along with all the others.
 *
 * @param input what the file says, expansions made, not yet validated
 */
export function crossChecks(input: unknown): Problem[] {
  const networks = [
    ...select(input, ['enrich', 'trusted_proxies', '*']),
    ...select(input, ['enrich', 'networks', '*', 'cidrs', '*']),
    ...select(input, ['policy', 'never_revoke', 'networks', '*']),
  ];
  const urls = [
    ...select(input, ['store', 'url']),
    ...select(input, ['api', 'public_url']),
    ...['metadata_url', 'revocation_endpoint', 'introspection_endpoint'].flatMap((name) =>
      select(input, ['authorization_servers', '*', name]),
    ),
  ];
  const defaults = select(input, ['authorization_servers', '*', 'default']).filter(
    ({ value }) => value === true,
  );
  return [
    ...thresholds(input),
    ...repeats(select(input, ['authorization_servers', '*', 'issuer'])),
    ...defaults.slice(1).map(({ path }) => wrong(path, 'a second default server', 'true', 'one at most')),
    ...repeats(select(input, ['api', 'tokens', '*', 'name'])),
    ...groupOfRepartition(input),
    ...select(input, ['api', 'tokens', '*', 'token']).flatMap(shortToken),
    ...networks.flatMap(notNetwork),
    ...urls.flatMap(notUrl),
    ...clearText(input),
    ...cluster(input),
    ...select(input, ['custody', 'key']).flatMap(custodyKey),
  ];
}

/** The values at `pattern` below `value`; `*` stands for every entry of a list. Empty texts have a rule of their own. */
function select(value: unknown, pattern: readonly string[], path: PropertyKey[] = []): Place[] {
  const [key, ...rest] = pattern;
  if (key === undefined) return value === undefined || value === '' ? [] : [{ path, value }];
  if (key !== '*') return select(fieldOf(value, key), rest, [...path, key]);
  return Array.isArray(value) ? value.flatMap((entry, index) => select(entry, rest, [...path, index])) : [];
}

const wrong = (path: PropertyKey[], problem: string, got: string, expected: string): Problem => ({
  path,
  at: 'value',
  problem,
  got,
  expected,
});

const THRESHOLDS = ['alert_threshold', 'approval_threshold', 'revoke_threshold'] as const;

/** An alert comes before an approval, an approval before a revocation. Options left out count with their default. */
function thresholds(input: unknown): Problem[] {
  const defaults = config.parse({}).policy;
  const values = THRESHOLDS.map((name) => {
    const path = ['policy', name];
    const given = valueAt(input, path);
    return {
      name,
      path,
      given: given !== undefined,
      value: typeof given === 'number' ? given : defaults[name],
    };
  });
  return values.slice(1).flatMap((upper, index) => {
    const lower = values[index];
    if (lower === undefined || lower.value <= upper.value) return [];
    // The mistake is shown at an option that the file has.
    const [shown, other, word] = upper.given ? [upper, lower, 'least'] : [lower, upper, 'most'];
    const expected = `at ${word} ${other.name}${other.given ? '' : `, by default ${other.value}`}`;
    return [
      wrong(shown.path, `${lower.name} is above ${upper.name}`, renderGot(shown.value, false), expected),
    ];
  });
}

/** The places that say what an earlier one says. */
function repeats(places: readonly Place[]): Problem[] {
  return places.flatMap(({ path, value }, index) => {
    const first = places.findIndex((place) => place.value === value);
    const earlier = places[first];
    if (earlier === undefined || first === index) return [];
    const got = renderGot(value, false);
    return [wrong(path, `the same as ${formatPath(earlier.path)}`, got, 'another one')];
  });
}

function shortToken({ path, value }: Place): Problem[] {
  if (typeof value !== 'string' || value.length >= MIN_TOKEN_LENGTH) return [];
  return [
    wrong(path, 'too short', `${value.length} characters`, `at least ${MIN_TOKEN_LENGTH}, chosen at random`),
  ];
}

function notNetwork({ path, value }: Place): Problem[] {
  if (typeof value !== 'string' || isCidr(value)) return [];
  const expected = 'CIDR notation such as 192.0.2.0/24, 192.0.2.7/32 or 2001:db8::/32';
  return [wrong(path, 'not a network', renderGot(value, false), expected)];
}

/** Whether `text` is a network in CIDR notation; of IPv4 only with four decimal parts, which have one reading. */
function isCidr(text: string): boolean {
  return text.includes(':') ? ipaddr.IPv6.isValidCIDR(text) : ipaddr.IPv4.isValidCIDRFourPartDecimal(text);
}

function notUrl({ path, value }: Place): Problem[] {
  if (typeof value !== 'string' || (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)))
    return [];
  return [wrong(path, 'not a URL', renderGot(value, false), 'an http:// or https:// URL')];
}

/** Tokens and credentials travel to authorization servers: in clear only on this machine, or where that is allowed. */
function clearText(input: unknown): Problem[] {
  return ['issuer', 'metadata_url', 'revocation_endpoint', 'introspection_endpoint']
    .flatMap((name) => select(input, ['authorization_servers', '*', name]))
    .flatMap(({ path, value }) => {
      const allowed = valueAt(input, [...path.slice(0, -1), 'insecure_http']) === true;
      if (allowed || typeof value !== 'string' || !URL.canParse(value)) return [];
      const { protocol, hostname } = new URL(value);
      if (protocol !== 'http:' || !mayBeOutside(hostname)) return [];
      return [
        wrong(
          path,
          'tokens would travel in clear',
          renderGot(value, false),
          'https://, or insecure_http: true',
        ),
      ];
    });
}

const mayBeOutside = (hostname: string) => {
  const host = hostname.replace(/^\[|\]$/g, '');
  const here = host === 'localhost' || host.endsWith('.localhost');
  return !here && (!ipaddr.isValid(host) || isPublic(host));
};

/** The group that detects reads another topic than those that gather, so it must have a name of its own. */
function groupOfRepartition(input: unknown): Problem[] {
  const own = valueAt(input, ['repartition', 'group_id']) ?? REPARTITION_GROUP;
  if (valueAt(input, ['repartition']) === undefined) return [];
  return select(input, ['sources', '*', 'group_id'])
    .filter(({ value }) => value === own)
    .map(({ path, value }) =>
      wrong(path, 'the consumer group of `repartition`', renderGot(value, false), 'another name'),
    );
}

/** How a cluster is named, how its tables are made, and what needs what. */
function cluster(input: unknown): Problem[] {
  const store = (name: string) => {
    const value = valueAt(input, ['store', name]);
    return Array.isArray(value) && value.length === 0 ? undefined : value;
  };
  const [name, shards, url] = [store('cluster'), store('shards'), store('url')];
  const [onCluster, replicated] = [store('on_cluster') === true, store('replicated') === true];
  const one = (option: string, problem: string, expected: string) =>
    wrong(['store', option], problem, 'one of them', expected);
  const problems: Problem[] = [];
  if (name !== undefined && shards === undefined && !onCluster) {
    const expected = 'store.shards, or on_cluster: true where the cluster has Keeper';
    problems.push(one('cluster', 'store.cluster needs to know where its tables are made', expected));
  }
  if (name !== undefined && url === undefined) {
    problems.push(one('cluster', 'store.cluster needs store.url', 'the URL of one of its servers'));
  }
  // It becomes part of statements.
  if (typeof name === 'string' && !/^[\w.-]+$/.test(name)) {
    problems.push(
      wrong(['store', 'cluster'], 'not a cluster name', renderGot(name, false), 'letters, digits, _ . -'),
    );
  }
  if (shards !== undefined && name === undefined) {
    problems.push(one('shards', 'store.shards needs store.cluster', 'both, or neither'));
  }
  if (onCluster && name === undefined) {
    problems.push(one('on_cluster', 'store.on_cluster needs store.cluster', 'the name of the cluster'));
  }
  if (onCluster && shards !== undefined) {
    const expected = 'one of them: either says where tables are made';
    problems.push(wrong(['store', 'on_cluster'], 'store.on_cluster beside store.shards', 'both', expected));
  }
  if (replicated && !onCluster) {
    problems.push(one('replicated', 'store.replicated needs store.on_cluster', 'on_cluster: true'));
  }
  return problems;
}

/** Either alphabet of base64, as custody reads it. */
function custodyKey({ path, value }: Place): Problem[] {
  if (typeof value !== 'string' || /^[A-Za-z0-9+/_-]{43}=?$/.test(value.trim())) return [];
  const expected = '32 bytes in base64, 44 characters, as `openssl rand -base64 32` makes them';
  return [wrong(path, 'not a 32-byte key in base64', `${value.length} characters`, expected)];
}

/**
 * The API on an address that others reach, and no credentials to ask for; undefined where that is not so.
 * A host by name is left to the start of the API, which resolves it.
 */
export function exposure(input: unknown): Problem | undefined {
  const [host] = select(input, ['api', 'host']);
  const off = valueAt(input, ['api', 'enabled']) === false;
  const guarded = select(input, ['api', 'tokens', '*']).length > 0;
  if (off || guarded || typeof host?.value !== 'string' || !isPublic(host.value)) return undefined;
  const problem = 'the API would be open to others without credentials';
  return wrong(host.path, problem, renderGot(host.value, false), 'api.tokens, or a loopback address');
}

const isPublic = (host: string) => ipaddr.isValid(host) && ipaddr.process(host).range() !== 'loopback';
