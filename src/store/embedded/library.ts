import { platformKey, tryResolveLibchdb } from 'chdb/libchdb';
import { RecallError } from '../../errors.ts';

/**
 * The shared library that carries ClickHouse, out of the `@chdb/lib-…` package of this platform.
 *
 * @throws RecallError ERR_STORE_EMBEDDED where there is no package for this platform, or it is not installed
 */
export function clickHouseLibrary(): string {
  const found = tryResolveLibchdb();
  if (found !== undefined) return found.path;
  throw new RecallError(
    'ERR_STORE_EMBEDDED',
    `there is no embedded ClickHouse for this platform (${platformKey()}), or npm left out its optional package ` +
      `@chdb/lib-${platformKey()}-*. Install it, or point store.url at a ClickHouse server`,
  );
}
