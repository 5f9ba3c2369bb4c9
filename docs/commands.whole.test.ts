/** The commands and queries of all pages, as a reader runs them: only the address of the gateway is another one. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGateway, type GatewayProcess } from '../gateway/test/setup/gateway.ts';
import { runBlocks } from './test/not-run.ts';
import { blocks, root } from './test/pages.ts';

/** The patient of the first request. Pages name her where a query has a variable `id`. */
const PATIENT = '87a339d0-8cae-418e-89c7-8651e6aab3c6';
const OPERATOR_KEY = 'the-key-of-an-operator-is-long-enough';
const run = promisify(execFile);

/** A folder like the repository, where commands may write. */
let folder: string;
let gateway: GatewayProcess;
let token = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'commands-'));
  for (const name of ['package.json', 'node_modules', 'LICENSE', 'tsconfig.json'])
    symlinkSync(join(root, name), join(folder, name));
  cpSync(join(root, 'conformance'), join(folder, 'conformance'), { recursive: true });
  gateway = await startGateway({ OPERATOR_KEY });
  symlinkSync(gateway.dataDir, join(folder, '.data'));
  const [first] = runBlocks('sh')
    .find(({ page }) => page === 'README.md')!
    .text.split('\n');
  token = await shell(`${first}\nprintf %s "$TOKEN"`);
  expect(token).toMatch(/^[\w.-]{20,}$/);
}, 120_000);
afterAll(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true });
});

/** Runs a script that ends with its first failure. @returns what it printed */
async function shell(script: string): Promise<string> {
  const setUp = `export PATH="${folder}/bin:$PATH" HOME=${folder} TOKEN=${token} OPERATOR_KEY=${OPERATOR_KEY}
    # \`npm install --global\` installs into the folder.
    export npm_config_prefix=${folder} npm_config_offline=true
    # An HTTP status above 399 ends the script.
    curl() { command curl --silent --fail-with-body "$@"; }\n`;
  const own = script.replaceAll('http://localhost:4000', gateway.url);
  const options = { cwd: folder, encoding: 'latin1', maxBuffer: 1e8 } as const;
  return (await run('sh', ['-ec', setUp + own], options)).stdout;
}

/** Lists the files that commands have written into the folder, with their sizes. */
const written = () => readdirSync(folder).map((name) => `${name} ${statSync(join(folder, name)).size}`);

test.each(runBlocks('sh'))(
  '$page: $text',
  async (block) => {
    const before = written();
    const printed = await shell(block.text);
    const files = written().filter((file) => !before.includes(file));
    expect(printed || files.join()).not.toMatch(/^$| 0$/);
    // GraphQL has errors with status 200; a search may find nothing.
    expect(printed).not.toMatch(/"errors":|"total":0|(^|\})\[\]/);
    // A page shows what its command prints, or a part of it.
    const next = blocks[blocks.indexOf(block) + 1];
    if (next?.language === 'csv') expect(printed.replaceAll('\r', '')).toContain(next.text);
  },
  120_000,
);

test.each(runBlocks('graphql'))('$page: $text', async ({ text }) => {
  const response = await fetch(`${gateway.url}/demo/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: text, variables: { id: PATIENT } }),
  });
  const { data, errors } = (await response.json()) as { data: Record<string, object>; errors?: unknown };
  expect([response.status, errors]).toEqual([200, undefined]);
  // An entry of a timeline may have no studies, and nothing is missing.
  expect(JSON.stringify(data)).not.toMatch(/(?<!"(missing|studies)":)\[\]/);
  expect(Object.values(data)).not.toContain(null);
});
