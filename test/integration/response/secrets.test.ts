import { expect, it } from 'vitest';
import { startAuthorizationServer } from '../../../src/demo/authorization-server.ts';
import { json, newSecret, recallOf, startFaultyFront, startOutbox, type Handler } from './support.ts';

const owner = { auth_method: 'client_secret_basic', client_id: 'shop', client_secret: newSecret() } as const;

/** A server that sends back, as the reason of its refusal, all that it was sent. */
const echo: Handler = (request, response) => {
  request.on('data', (form: Buffer) => {
    const sent = new URLSearchParams(form.toString()).get('token') ?? '';
    const authorization = request.headers.authorization ?? '';
    json(response, 400, { error: 'invalid_request', error_description: `bad ${sent} from ${authorization}` });
  });
};
const echoAsCode: Handler = (request, response) => {
  request.on('data', (form: Buffer) => {
    json(response, 400, { error: new URLSearchParams(form.toString()).get('token') });
  });
};

it('no token and no credential is in any row, log line or receipt, whatever the server echoes', async () => {
  const server = await startAuthorizationServer({ clients: [{ credential: owner }], scopes: ['read'] });
  const front = await startFaultyFront(server.issuer);
  const token = (await server.clientCredentials({ client_id: 'shop', scope: 'read' })).access_token;
  const jwt = [newSecret(), newSecret(), newSecret()].join('.');
  const { outbox, written, logged, receipts } = startOutbox({
    tokens: [{ token }, { token: jwt }],
    servers: [{ issuer: front.issuer, credential: owner }],
  });
  const recall = async (raw: string) => {
    outbox.submit([recallOf(raw, { iss: front.issuer, client_id: 'shop' })]);
    await outbox.idle();
  };
  front.faults.revoke = echo;
  await recall(token);
  front.faults.revoke = echoAsCode;
  await recall(jwt);
  front.faults.revoke = undefined;
  front.faults.introspect = echo;
  await recall(token);
  await front.stop();
  await server.stop();

  expect(receipts.map(({ state }) => state)).toEqual(['failed', 'failed', 'accepted']);
  const everything = JSON.stringify([written, receipts]) + logged();
  expect(everything).toContain('invalid_request');
  expect(logged()).toContain('before revocation');
  for (const raw of [token, jwt, ...jwt.split('.'), owner.client_secret]) {
    expect(everything).not.toContain(raw);
    expect(everything).not.toContain(raw.slice(0, 12));
    expect(everything).not.toContain(Buffer.from(raw).toString('base64').slice(0, 16));
  }
});
