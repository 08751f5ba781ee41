import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { detectors } from '../../detectors/registry.ts';
import { fileSchema } from '../../src/config/root.ts';
import { editorSchema, inputSchema } from './json-schema.ts';
import { configurationPage, detectorsPage, eventsPage } from './pages.ts';

/**
 * Writes the references that follow from schemas and detectors.
 * With `--check` writes nothing and exits 1 with the names of those that are out of step.
 */
const root = join(import.meta.dirname, '..', '..');

const schema = inputSchema(fileSchema(detectors));
const editor = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Token Recall configuration',
  ...editorSchema(schema),
};
const files: Record<string, string> = {
  'docs/config.schema.json': JSON.stringify(editor),
  'docs/configuration.md': configurationPage(schema),
  'docs/detectors.md': detectorsPage(detectors),
  'docs/events.md': eventsPage(),
};

function current(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const check = process.argv.includes('--check');
const stale: string[] = [];
for (const [name, text] of Object.entries(files)) {
  const path = join(root, name);
  const formatted = await format(text, { ...(await resolveConfig(path)), filepath: path });
  if (check && current(path) !== formatted) stale.push(name);
  if (!check) writeFileSync(path, formatted);
}
if (stale.length > 0) {
  process.stderr.write(`Out of step with the code, run \`npm run generate\`: ${stale.join(', ')}\n`);
  process.exitCode = 1;
}
