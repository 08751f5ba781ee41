import { importPKCS8, type CryptoKey } from 'jose';
import * as oauth from 'oauth4webapi';
import { RecallError } from '../errors.ts';
import type { ClientCredential } from '../../schemas/config-authorization-server.ts';

/**
 * Turns a configured credential into the client authentication of RFC 6749 section 2.3 (secret in the
 * Authorization header or in the form), RFC 7523 section 2.2 (signed assertion), or none (RFC 6749 section 2.1).
 *
 * @throws RecallError ERR_RESPONDER_REFUSED where the private key cannot be read
 */
export async function clientAuthentication(credential: ClientCredential): Promise<oauth.ClientAuth> {
  switch (credential.auth_method) {
    case 'client_secret_basic':
      return oauth.ClientSecretBasic(credential.client_secret.reveal());
    case 'client_secret_post':
      return oauth.ClientSecretPost(credential.client_secret.reveal());
    case 'private_key_jwt': {
      const { algorithm, key_id: kid } = credential;
      const key = await privateKey(credential);
      return oauth.PrivateKeyJwt(kid === undefined ? key : { key, kid }, {
        [oauth.modifyAssertion]: (header) => {
          // The library names the curve (RFC 9864); most servers still know the key only as EdDSA (RFC 8037).
          header['alg'] = algorithm;
        },
      });
    }
    case 'none':
      return oauth.None();
  }
}

type PrivateKeyCredential = Extract<ClientCredential, { auth_method: 'private_key_jwt' }>;

async function privateKey(credential: PrivateKeyCredential): Promise<CryptoKey> {
  try {
    return await importPKCS8(credential.private_key.reveal(), credential.algorithm);
  } catch {
    // Without the cause: parsers like to quote what they were given.
    throw new RecallError(
      'ERR_RESPONDER_REFUSED',
      `the private_key of client ${credential.client_id} is no PKCS #8 PEM key for ${credential.algorithm}; ` +
        'convert it with: openssl pkcs8 -topk8 -nocrypt -in KEY',
    );
  }
}
