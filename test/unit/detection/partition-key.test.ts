import { describe, expect, it } from 'vitest';
import type { AccessEvent } from '../../../schemas/access-event.ts';
import type { AuthorizationEvent } from '../../../schemas/authorization-event.ts';
import { partitionKey } from '../../../src/detection/partition-key.ts';

const access = (identity: Partial<AccessEvent>): AccessEvent => ({
  kind: 'access',
  event_id: 'e1',
  time: 0,
  client_ip: '192.0.2.1',
  ...identity,
});
const authorization = (identity: Partial<AuthorizationEvent>): AuthorizationEvent => ({
  kind: 'authorization',
  event_id: 'e2',
  time: 0,
  type: 'token_issued',
  ...identity,
});
const iss = 'https://issuer.example';

describe('partitionKey', () => {
  it('is the same for all a subject does, whatever else the events name', () => {
    const keys = [
      access({ iss, sub: 's', client_id: 'a', jti: 'j1', sid: 'x' }),
      access({ iss, sub: 's', client_id: 'b', token_hash: 'h' }),
      authorization({ iss, sub: 's' }),
      authorization({ iss, sub: 's', client_id: 'a', grant_type: 'authorization_code' }),
    ].map(partitionKey);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).not.toBe(partitionKey(access({ iss, sub: 'other', client_id: 'a', jti: 'j1' })));
  });

  it('is the client for a machine, whether its events name a subject or not', () => {
    const keys = [
      access({ iss, client_id: 'a', jti: 'j' }),
      access({ iss, client_id: 'a', sub: 'a' }),
      access({ iss, sub: 'a' }),
      authorization({ iss, client_id: 'a', sub: 'service-account', grant_type: 'client_credentials' }),
    ].map(partitionKey);
    expect(new Set(keys).size).toBe(1);
  });

  it('is the token where nothing else is named', () => {
    expect(partitionKey(access({ iss, jti: 'j' }))).toBe(partitionKey(authorization({ iss, jti: 'j' })));
    expect(partitionKey(access({ token_hash: 'h' }))).toBe(partitionKey(authorization({ token_hash: 'h' })));
    expect(partitionKey(access({ token_hash: 'h' }))).not.toBe(partitionKey(access({ token_hash: 'i' })));
  });

  it('never mixes issuers', () => {
    for (const identity of [{ sub: 's' }, { client_id: 'c' }, { jti: 'j' }, { sid: 's' }]) {
      const keys = [{}, { iss }, { iss: 'https://other.example' }].map((issuer) =>
        partitionKey(authorization({ ...issuer, ...identity })),
      );
      expect(new Set(keys).size).toBe(3);
    }
  });

  it('keeps together what names a session or token family only, and has a key for everything', () => {
    for (const identity of [
      { sid: 's' },
      { family_id: 'f' },
      { refresh_token_hash: 'r' },
      { previous_jti: 'p' },
      {},
    ]) {
      const one = partitionKey(authorization({ iss, ...identity, type: 'session_ended' }));
      expect(one).toBe(partitionKey(authorization({ iss, ...identity })));
      expect(one).not.toBe(partitionKey(authorization({ iss, sid: 'another', event_id: 'e3' })));
    }
  });
});
