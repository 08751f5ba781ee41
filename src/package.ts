import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

let root: string | undefined;

/**
 * Folder of the product's own package.json, whether it runs from `src/` or from `dist/src/`.
 * Files that are shipped but not compiled (migrations) are found from here.
 *
 * @throws Error where no package.json is above this file: a broken installation
 */
export function packageRoot(): string {
  if (root !== undefined) return root;
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('token-recall is installed without its package.json');
    folder = parent;
  }
  root = folder;
  return folder;
}

/** Version of the product, as in its package.json. */
export function version(): string {
  const text = readFileSync(join(packageRoot(), 'package.json'), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
