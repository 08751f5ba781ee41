import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore, type OpenedStore } from '../../../src/store/open.ts';
import { runSql } from '../../../src/store/sql.ts';
import { silent, storeConfig, temporaryDirectory } from '../../support/clickhouse.ts';
import { sampleDay } from './questions-data.ts';

const PAGE = fileURLToPath(new URL('../../../docs/queries.md', import.meta.url));

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let store: OpenedStore;

beforeAll(async () => {
  directory = await temporaryDirectory();
  store = await openStore({ config: storeConfig(), dataDir: directory.path, log: silent });
  await store.write(sampleDay);
  // Delivered again among others: the answers must not change.
  await store.write({ ...sampleDay, findings: [], audit: [] });
});
afterAll(async () => {
  await store.close();
  await directory.remove();
});

async function answer(query: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  const plain = `${query} SETTINGS output_format_pretty_row_numbers = 0`;
  for await (const chunk of runSql({
    dataDir: directory.path,
    query: plain,
    format: 'PrettyCompactNoEscapesMonoBlock',
  }))
    chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8').trimEnd();
}

test('docs/queries.md asks ten questions and shows what the views answer', async () => {
  const page = await readFile(PAGE, 'utf8');
  const sections = page.split(/^(?=## )/m);
  expect(sections).toHaveLength(11);
  const answered = [sections[0]!];
  for (const section of sections.slice(1)) {
    const [, asked, query] = /^(.*?```sql\n(.*?)\n```\n)/s.exec(section)!;
    const text = await answer(query!);
    expect(text).toContain('│');
    answered.push(`${asked}\n\`\`\`text\n${text}\n\`\`\`\n`);
  }
  // `npx vitest run -u` on this file writes new answers into the page: read the difference.
  await expect(answered.join('\n').replaceAll(/\n{3,}/g, '\n\n')).toMatchFileSnapshot(PAGE);
});
