import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LONG } from './setup/long.ts';
import { longTest } from './setup/usual-run.ts';

/** The build that runs before a start, tried on a small package. */

const project = join(import.meta.dirname, '../..');
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'build-'));
  for (const file of [
    'gateway/build.mjs',
    'gateway/bundle.mjs',
    'gateway/precompress.mjs',
    'tsconfig.json',
    'tsconfig.build.json',
    'package.json',
  ]) {
    cpSync(join(project, file), join(root, file));
  }
  symlinkSync(join(project, 'node_modules'), join(root, 'node_modules'));
  write('package-lock.json', '{}');
  write('gateway/main.ts', 'export const main: number = 1;\n');
  write('gateway/page.js', '');
  write('gateway/demo/copy-packages.ts', 'export {};\n');
  for (const folder of ['schema', 'subgraphs', 'viewer']) write(`${folder}/part.ts`, 'export {};\n');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}
const program = () => join(root, 'gateway/build.mjs');
/** Started from another folder: the build does not depend on it. */
const build = () => spawnSync(process.execPath, [program()], { cwd: tmpdir(), encoding: 'utf8' }).stdout;
const NOTHING = 'Nothing to build: dist/ is up to date.\n';

/** Lists the command lines of processes that work in the package. */
const atWork = () =>
  readdirSync('/proc').flatMap((id) => {
    try {
      const line = readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return line.includes(root) ? [line] : [];
    } catch {
      return [];
    }
  });

test('builds again only when a file changes that goes into dist/', () => {
  expect(build()).toContain('server built');
  expect(readFileSync(join(root, 'dist/gateway/main.js'), 'utf8')).toContain('main = 1');
  expect(existsSync(join(root, 'dist/gateway/page.js'))).toBe(true);
  for (const path of [
    'gateway/tenants/mine.json',
    'gateway/smart/README.md',
    'viewer/src/graphql-env.d.ts',
    'schema/part.test.ts',
    'gateway/test/a.ts',
    'viewer/.svelte-kit/tsconfig.json',
    'schema/.part.ts.swp',
  ]) {
    write(path, '');
    expect([path, build()]).toEqual([path, NOTHING]);
  }
  for (const path of LONG ? ['gateway/page.js', 'tsconfig.json'] : ['gateway/page.js']) {
    write(path, `${readFileSync(join(root, path), 'utf8')}\n`);
    expect([path, build()]).toEqual([path, expect.stringContaining('server built')]);
  }
  expect(build()).toBe(NOTHING);
}, 60_000);

test('a program is one file: classes of one name keep it, and modules find what is beside their sources', () => {
  write('gateway/one.ts', 'export class Token {}\n');
  write('gateway/deep/beside.txt', '\u898b');
  write(
    'gateway/deep/two.ts',
    `import { readFileSync } from 'node:fs';
    export class Token {}
    export const text = readFileSync(new URL('beside.txt', import.meta.url), 'utf8');\n`,
  );
  write(
    'gateway/main.ts',
    `import { Token as One } from './one.ts';
    import { text, Token } from './deep/two.ts';
    console.log(One.name, Token.name, One === Token, text === '\u898b');\n`,
  );
  build();
  for (const name of ['one.js', 'deep/two.js']) rmSync(join(root, 'dist/gateway', name));
  const program = join(root, 'dist/gateway/main.js');
  expect(spawnSync(process.execPath, [program], { encoding: 'utf8' }).stdout).toBe(
    'Token Token false true\n',
  );
  expect(readFileSync(program, 'utf8')).toMatch(/^[\0-\x7f]*$/);
  write('gateway/deep/two.ts', 'export class Token {}\nexport const text = import.meta.filename;\n');
  expect(spawnSync(process.execPath, [join(root, 'gateway/build.mjs')], { encoding: 'utf8' })).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('import.meta.filename has no place in a bundle') as string,
  });
}, 60_000);

longTest(
  'a build killed by SIGKILL leaves no process, and the next build is complete',
  async () => {
    const child = spawn(process.execPath, [program()], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((done) => child.once('exit', done));
    await new Promise((said) => child.stdout.once('data', said));
    // The compiler needs about a second.
    await new Promise((done) => setTimeout(done, 200));
    expect(atWork().length).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await ended;
    expect(atWork()).toEqual([]);
    expect(build()).toContain('server built');
    expect(build()).toBe(NOTHING);
  },
  60_000,
);
