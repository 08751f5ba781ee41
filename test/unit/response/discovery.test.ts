import { describe, expect, it } from 'vitest';
import { authorizationServerConfig } from '../../../schemas/config-authorization-server.ts';
import { createDiscovery, metadataLocations } from '../../../src/response/discovery.ts';

const server = (options: object) =>
  authorizationServerConfig.parse({ credential: { auth_method: 'none', client_id: 'recall' }, ...options });
const locations = (options: object) => metadataLocations(server(options)).map(String);

describe('metadataLocations', () => {
  it('looks at an issuer without path in RFC 8414 and OpenID places', () => {
    expect(locations({ issuer: 'https://as.example' })).toEqual([
      'https://as.example/.well-known/oauth-authorization-server',
      'https://as.example/.well-known/openid-configuration',
    ]);
  });

  it('puts the path of an issuer where each specification has it', () => {
    expect(locations({ issuer: 'https://as.example/realms/one' })).toEqual([
      'https://as.example/.well-known/oauth-authorization-server/realms/one',
      'https://as.example/realms/one/.well-known/openid-configuration',
      'https://as.example/.well-known/openid-configuration/realms/one',
    ]);
  });

  it('looks nowhere else where an address is configured', () => {
    const metadata_url = 'https://as.example/here.json';
    expect(locations({ issuer: 'https://as.example/x', metadata_url })).toEqual([metadata_url]);
  });
});

describe('createDiscovery', () => {
  it('asks nobody where both endpoints are configured', async () => {
    const endpoints = {
      revocation_endpoint: 'https://as.example/revoke',
      introspection_endpoint: 'https://as.example/introspect',
    };
    const discovery = createDiscovery(server({ issuer: 'https://as.example', ...endpoints }));
    await expect(discovery.metadata()).resolves.toMatchObject(endpoints);
  });

  it.each([
    {
      revocation_endpoint: 'http://as.example/revoke',
      introspection_endpoint: 'https://as.example/introspect',
    },
    { revocation_endpoint: 'https://as.example/revoke', introspection_endpoint: 'no address' },
    { metadata_url: 'no address' },
    { metadata_url: 'http://192.0.2.1/metadata' },
  ])('refuses to send a token anywhere in clear: %j', async (options) => {
    const discovery = createDiscovery(server({ issuer: 'https://as.example', ...options }));
    await expect(discovery.metadata()).rejects.toMatchObject({ code: 'ERR_RESPONDER_REFUSED' });
  });
});
