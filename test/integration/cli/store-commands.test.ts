import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embeddedPaths, readCredentials } from '../../../src/store/embedded/files.ts';
import { runCli } from '../../support/run-cli.ts';

let folder: string;
let dataDir: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'recall-cli-store-'));
  dataDir = join(folder, 'data');
  writeFileSync(join(folder, 'embedded.yaml'), `data_dir: ${dataDir}\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const cli = (args: string[], input?: string) => runCli(args, { cwd: folder, ...(input && { input }) });

describe('token-recall migrate, on the embedded ClickHouse', () => {
  it('says what is missing and exits 1, applies it, and then has nothing to do', async () => {
    const before = await cli(['migrate', '-c', 'embedded.yaml', '--status']);
    expect(before.code).toBe(1);
    expect(before.stdout).toMatch(/migrations missing\n {2}0000_/);

    const applied = await cli(['migrate', '-c', 'embedded.yaml']);
    expect(applied).toMatchObject({ code: 0, stderr: '' });
    expect(applied.stdout).toMatch(/applied 0000_.*\n(.*\n)*.*up to date/);

    const after = await cli(['migrate', '-c', 'embedded.yaml', '--status', '--json']);
    expect(after.code).toBe(0);
    expect(JSON.parse(after.stdout)).toEqual({
      servers: [
        expect.objectContaining({
          pending: [],
          applied: expect.arrayContaining(['0000_schema_migrations.sql']) as string[],
        }),
      ],
    });

    const again = await cli(['migrate', '-c', 'embedded.yaml', '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ servers: [{ newly_applied: [], pending: [] }] });
  });
});

describe('token-recall sql', () => {
  it('answers an argument as tab-separated text where it is piped on', async () => {
    const answer = await cli(['sql', '--data-dir', dataDir, 'SELECT 1 AS one, 2 AS two']);
    expect(answer).toEqual({ code: 0, stdout: 'one\ttwo\n1\t2\n', stderr: '' });
  });

  it('answers standard input, in the format that is asked for', async () => {
    const answer = await cli(['sql', '-c', 'embedded.yaml', '--format', 'JSONEachRow'], 'SELECT 1 AS one;\n');
    expect(answer).toMatchObject({ code: 0, stdout: '{"one":1}\n' });
  });

  it('cannot write, and exits 1 with what ClickHouse has against a query', async () => {
    const write = await cli(['sql', '--data-dir', dataDir, 'CREATE TABLE mine (x Int8) ENGINE = Memory']);
    expect(write).toMatchObject({ code: 1, stdout: '' });
    const typo = await cli(['sql', '--data-dir', dataDir, 'SELEC 1']);
    expect(typo.code).toBe(1);
    expect(typo.stderr).toMatch(/^token-recall: .*[Ss]yntax/);
  });

  it('tells how others connect without giving the password away', async () => {
    const { code, stdout } = await cli(['sql', '--data-dir', dataDir, '--print-connection']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^HTTP {6}http:\/\/127\.0\.0\.1:\d+$/m);
    const credentials = await readCredentials(embeddedPaths(dataDir));
    expect(credentials?.analyst.password.length).toBeGreaterThan(20);
    expect(stdout).not.toContain(credentials?.analyst.password);
  });

  it('sends those who have a server of their own to its client', async () => {
    writeFileSync(join(folder, 'server.yaml'), 'store: { url: http://127.0.0.1:1 }\n');
    const { code, stderr } = await cli(['sql', '-c', 'server.yaml', 'SELECT 1']);
    expect(code).toBe(2);
    expect(stderr).toContain('store.url');
  });
});

describe('a ClickHouse server that is not there', () => {
  it('is named, and the exit code is 3', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    await new Promise((resolve) => server.close(resolve));
    writeFileSync(join(folder, 'gone.yaml'), `store: { url: "http://127.0.0.1:${String(port)}" }\n`);
    const { code, stdout, stderr } = await cli(['migrate', '-c', 'gone.yaml']);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^token-recall: .*127\\.0\\.0\\.1:${String(port)}`));
  });
});
