import * as oauth from 'oauth4webapi';
import type { AuthorizationServerConfig } from '../../schemas/config-authorization-server.ts';
import { isRecallError, messageOf, RecallError } from '../errors.ts';
import { answered } from './faults.ts';
import { isSecure } from './transport.ts';

/** How long metadata is believed, in milliseconds: endpoints move seldom, and a failure makes it be read again. */
const BELIEVED = 3_600_000;

export interface Discovery {
  /**
   * Metadata of the server, from memory where it is fresh.
   *
   * @throws RecallError ERR_RESPONDER_UNAVAILABLE (the server is away) or ERR_RESPONDER_REFUSED (it publishes none)
   */
  metadata(): Promise<oauth.AuthorizationServer>;
  /** Forgets what is in memory: the next caller reads again. */
  forget(): void;
}

type Endpoints = Partial<Pick<oauth.AuthorizationServer, 'revocation_endpoint' | 'introspection_endpoint'>>;

/** Finds the endpoints of one server: those configured, then those of its metadata document. */
export function createDiscovery(config: AuthorizationServerConfig): Discovery {
  let known: { metadata: Promise<oauth.AuthorizationServer>; until: number } | undefined;
  return {
    metadata() {
      if (known !== undefined && known.until > Date.now()) return known.metadata;
      const reading = { metadata: readMetadata(config), until: Date.now() + BELIEVED };
      known = reading;
      reading.metadata.catch(() => {
        if (known === reading) known = undefined;
      });
      return reading.metadata;
    },
    forget() {
      known = undefined;
    },
  };
}

async function readMetadata(config: AuthorizationServerConfig): Promise<oauth.AuthorizationServer> {
  const { issuer, revocation_endpoint, introspection_endpoint } = config;
  const configured: Endpoints = {
    ...(revocation_endpoint !== undefined && { revocation_endpoint }),
    ...(introspection_endpoint !== undefined && { introspection_endpoint }),
  };
  const complete = revocation_endpoint !== undefined && introspection_endpoint !== undefined;
  if (complete) return secured({ issuer, ...configured }, config.insecure_http);
  try {
    return secured({ ...(await fetchMetadata(config)), ...configured }, config.insecure_http);
  } catch (error) {
    // Without a document, what is configured has to do.
    if (revocation_endpoint === undefined || !isRecallError(error, 'ERR_RESPONDER_REFUSED')) throw error;
    return secured({ issuer, ...configured }, config.insecure_http);
  }
}

/**
 * Where a metadata document may be: RFC 8414 section 3.1 puts the well-known part before the path of the issuer,
 * OpenID Connect Discovery section 4.1 after it, and RFC 8414 section 5 knows both for the latter's document.
 */
export function metadataLocations({ issuer, metadata_url }: AuthorizationServerConfig): URL[] {
  if (metadata_url !== undefined) {
    if (URL.canParse(metadata_url)) return [new URL(metadata_url)];
    throw new RecallError(
      'ERR_RESPONDER_REFUSED',
      `metadata_url of ${issuer} is no address: ${metadata_url}`,
    );
  }
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const locations = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/openid-configuration${path}`,
  ];
  return [...new Set(locations)].map((location) => new URL(location));
}

async function fetchMetadata(config: AuthorizationServerConfig): Promise<oauth.AuthorizationServer> {
  const failures: RecallError[] = [];
  for (const location of metadataLocations(config)) {
    try {
      return await fetchDocument(config, location);
    } catch (error) {
      if (!isRecallError(error)) throw error;
      failures.push(error);
    }
  }
  // A server that is away may have the document after all.
  const away = failures.find(({ code }) => code === 'ERR_RESPONDER_UNAVAILABLE');
  if (away !== undefined) throw away;
  throw new RecallError(
    'ERR_RESPONDER_REFUSED',
    `no metadata of ${config.issuer}; set metadata_url or revocation_endpoint (${failures.map(messageOf).join('; ')})`,
  );
}

async function fetchDocument(
  config: AuthorizationServerConfig,
  url: URL,
): Promise<oauth.AuthorizationServer> {
  const what = `metadata ${url.href}`;
  const refused = (reason: string) => new RecallError('ERR_RESPONDER_REFUSED', `${what}: ${reason}`);
  if (!isSecure(url, config.insecure_http)) throw refused(HTTPS_ONLY);
  // Not bound to the attempt that asks first: others wait for the same answer.
  const response = await answered(what, config.timeout, new AbortController().signal, (signal) =>
    fetch(url, { redirect: 'manual', headers: { accept: 'application/json' }, signal }),
  );
  if (response.status !== 200) {
    const code =
      response.status === 429 || response.status >= 500
        ? 'ERR_RESPONDER_UNAVAILABLE'
        : 'ERR_RESPONDER_REFUSED';
    throw new RecallError(code, `${what}: answered ${response.status}`);
  }
  try {
    return await oauth.processDiscoveryResponse(new URL(config.issuer), response);
  } catch (error) {
    // The library compares `issuer` (RFC 8414 section 3.3): a document of another server is not believed.
    throw refused(messageOf(error));
  }
}

const HTTPS_ONLY = 'must be https (plain http on this machine, or with insecure_http)';

/** @throws RecallError ERR_RESPONDER_REFUSED where an endpoint would be spoken to in clear over the network */
function secured(metadata: oauth.AuthorizationServer, insecureHttp: boolean): oauth.AuthorizationServer {
  for (const name of ['revocation_endpoint', 'introspection_endpoint'] as const) {
    const endpoint = metadata[name];
    if (endpoint === undefined) continue;
    if (!URL.canParse(endpoint) || !isSecure(new URL(endpoint), insecureHttp)) {
      throw new RecallError(
        'ERR_RESPONDER_REFUSED',
        `${name} ${endpoint} of ${metadata.issuer} ${HTTPS_ONLY}`,
      );
    }
  }
  return metadata;
}
