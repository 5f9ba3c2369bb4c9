import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ALL_CHECKS } from '../checks/all.ts';

const root = join(import.meta.dirname, '../..');
const TOKEN = 'the-secret-token-of-this-test';
const run = promisify(execFile);

/** The published form: compiled, in a folder without packages. */
let folder: string;
/** A server that repeats what it is sent, with control characters. */
let server: Server;
let base: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [compiler, '-p', join(root, 'conformance'), '--outDir', join(folder, 'dist')]);
  server = createServer(({ headers, url }, response) => {
    const { authorization = 'nothing' } = headers;
    response.writeHead(url === '/good/.well-known/smart-configuration' ? 200 : 401, {
      'content-type': 'application/json',
      'www-authenticate': `Digest ${authorization.replace('Bearer ', '')} \u009b31m`,
    });
    response.end(JSON.stringify({ token_endpoint: `\u001b[31m${authorization}` }));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the kit. @returns its exit status, and all that it printed */
async function kit(...args: string[]): Promise<{ status: number; printed: string }> {
  const env = { PATH: process.env['PATH'], CONFORMANCE_TOKEN: TOKEN };
  const program = [join(folder, 'dist/main.js'), ...args];
  const { status, stdout, stderr } = await run(process.execPath, program, { env }).then(
    (output) => ({ ...output, status: 0 }),
    (error: { code: number; stdout: string; stderr: string }) => ({ ...error, status: error.code }),
  );
  return { status, printed: stdout + stderr };
}

describe('the command line', () => {
  test('--list prints every check, without a request', async () => {
    const { status, printed } = await kit('--list');
    expect(status).toBe(0);
    expect(printed.trimEnd().split('\n')).toHaveLength(ALL_CHECKS.length);
    for (const { id, name, sentence } of ALL_CHECKS)
      expect(printed).toContain(`${id}/${name}: ${sentence}\n`);
  });

  test.each<[number, string, string[], RegExp]>([
    [
      0,
      'all that was checked is met',
      ['/good', '--only', 'SM-1/configuration-without-token'],
      /^pass .*1 of \d+ checked: 1 met, .*not chosen by --only\nEvery MUST that was checked is met\./s,
    ],
    [
      1,
      'a MUST is not met',
      ['/bad', '--only', 'SM-1/configuration-without-token'],
      /^FAIL .*does not conform/s,
    ],
    [
      1,
      'no server answers',
      [':1', '--only', 'SM-1/configuration-without-token'],
      /no usable answer: fetch failed/,
    ],
    [2, 'the patient is not known', ['/bad'], /^The patient of the token is not known: give --patient ID\./],
    [2, 'no such check', ['/bad', '--only', 'IA-99'], /^--only has a name without a check/],
    [2, 'all are skipped', ['/bad', '--only', 'IA-6', '--patient', 'p'], /No check was made/],
    [2, 'an unknown option', ['/bad', '--tokens'], /^--tokens is unknown/],
    [
      2,
      'a report that cannot be written',
      ['/good', '--only', 'SM-2/pkce', '--json', '/none/x'],
      /cannot be written/,
    ],
  ])('exit status %i: %s', async (wanted, _, [path, ...args], text) => {
    const { status, printed } = await kit(
      '--base',
      path === ':1' ? 'http://127.0.0.1:1' : `${base}${path}`,
      ...args,
    );
    expect([status, printed]).toEqual([wanted, expect.stringMatching(text)]);
  });

  test('no token and no control character reaches the terminal or a report, whatever the server repeats', async () => {
    const kinds = ['json', 'junit', 'html'];
    const files = kinds.map((name) => join(folder, name));
    const reports = kinds.flatMap((name, index) => [`--${name}`, files[index]!]);
    const header = ['--header', 'X-Key: a-secret-key'];
    const { status, printed } = await kit('--base', `${base}/bad`, '--patient', 'p', ...reports, ...header);
    expect(status).toBe(1);
    const texts = [printed, ...files.map((file) => readFileSync(file, 'utf8'))];
    for (const text of texts) {
      expect(text).toContain('Digest');
      expect(text).not.toMatch(new RegExp(`${TOKEN}|a-secret-key`));
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    }
    const { results } = JSON.parse(texts[1]!) as { results: unknown[] };
    expect(results).toHaveLength(ALL_CHECKS.length);
    // IA-48: the page names the JSON report that belongs to it.
    expect(texts[3]).toContain(createHash('sha256').update(texts[1]!).digest('hex'));
  });
});

test('the compiled package needs Node alone', () => {
  const dist = join(folder, 'dist');
  const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.js'),
  );
  const imports = files.flatMap((name) =>
    [...readFileSync(join(dist, name), 'utf8').matchAll(/from ["']([^"']+)["']/g)].map(([, from]) => from!),
  );
  expect(imports.length).toBeGreaterThan(50);
  expect(imports.filter((from) => !/^(node:|\.)/.test(from))).toEqual([]);
  expect(readFileSync(join(dist, 'main.js'), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
});
