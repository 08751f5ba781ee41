import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider';

/** What the server issues under a grant, and takes back with it. */
const GRANTED = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken']);

interface Entry {
  payload: AdapterPayload;
  expiresAt: number;
}

/**
 * Storage of the authorization server: everything in memory, dropped when it expires or is destroyed.
 * The storage that comes with the library keeps 1,000 entries and forgets the oldest, so that under a hundred
 * sign-ins would make live tokens die by themselves.
 *
 * @param onTokenGone called with each access or refresh token that was revoked, by itself or with its grant
 */
export function memoryStorage(onTokenGone: (kind: string, payload: AdapterPayload) => void): AdapterFactory {
  const entries = new Map<string, Entry>();
  const byGrant = new Map<string, Set<string>>();
  const byUid = new Map<string, string>();

  const live = (key: string): AdapterPayload | undefined => {
    const entry = entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAt > Date.now()) return entry.payload;
    entries.delete(key);
    return undefined;
  };
  const destroy = (key: string): void => {
    const payload = live(key);
    entries.delete(key);
    if (payload !== undefined) onTokenGone(kindOf(key), payload);
  };

  return (kind): Adapter => ({
    upsert(id, payload, expiresIn) {
      const key = `${kind}:${id}`;
      const expiresAt = expiresIn === undefined ? Number.POSITIVE_INFINITY : Date.now() + expiresIn * 1000;
      entries.set(key, { payload, expiresAt });
      if (payload.uid !== undefined) byUid.set(`${kind}:${payload.uid}`, key);
      if (payload.grantId !== undefined && GRANTED.has(kind)) {
        const keys = byGrant.get(payload.grantId) ?? new Set();
        byGrant.set(payload.grantId, keys.add(key));
      }
      return Promise.resolve();
    },
    find: (id) => Promise.resolve(live(`${kind}:${id}`)),
    findByUid(uid) {
      const key = byUid.get(`${kind}:${uid}`);
      return Promise.resolve(key === undefined ? undefined : live(key));
    },
    findByUserCode: () => Promise.resolve(undefined),
    consume(id) {
      const payload = live(`${kind}:${id}`);
      if (payload !== undefined) payload['consumed'] = Math.floor(Date.now() / 1000);
      return Promise.resolve();
    },
    destroy(id) {
      destroy(`${kind}:${id}`);
      return Promise.resolve();
    },
    revokeByGrantId(grantId) {
      // The library asks once for each kind of token; only that kind goes.
      for (const key of byGrant.get(grantId) ?? []) if (kindOf(key) === kind) destroy(key);
      return Promise.resolve();
    },
  });
}

const kindOf = (key: string): string => key.slice(0, key.indexOf(':'));
