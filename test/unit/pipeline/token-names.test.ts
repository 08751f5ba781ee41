import { expect, it } from 'vitest';
import type { AccessEvent } from '../../../schemas/access-event.ts';
import { createTokenNames } from '../../../src/pipeline/token-names.ts';

const use = (fields: Partial<AccessEvent>): AccessEvent => ({
  kind: 'access',
  event_id: 'event-1',
  time: 0,
  client_ip: '192.0.2.1',
  ...fields,
});

it('knows a refused token by the jti it had while it was accepted', () => {
  const names = createTokenNames();
  names.complete(use({ token_hash: 'hash-1', jti: 'token-1', iss: 'https://as.example' }));
  const refused = use({ token_hash: 'hash-1', status: 401 });
  names.complete(refused);
  expect(refused).toMatchObject({ jti: 'token-1', iss: 'https://as.example' });
});

it('leaves alone what it does not know, and what is named already', () => {
  const names = createTokenNames();
  names.complete(use({ token_hash: 'hash-1', jti: 'token-1' }));
  const other = use({ token_hash: 'hash-2' });
  names.complete(other);
  expect(other.jti).toBeUndefined();
  const renamed = use({ token_hash: 'hash-1', jti: 'token-9' });
  names.complete(renamed);
  expect(renamed.jti).toBe('token-9');
});
