import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
} from 'node:fs';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startChild, type Child } from './setup/child.ts';
import {
  asDockerignore,
  commandOf,
  environmentOf,
  ignoredBy,
  readDockerfile,
  type Stage,
} from './setup/dockerfile.ts';
import { freePort } from './setup/free-port.ts';
import { LONG } from './setup/long.ts';

/**
 * The steps of the Dockerfile, executed without a container engine: each stage is a folder, and what needs the engine or the
 * network has a substitute in `SUBSTITUTES`. Needs `npm run build`; the long run builds once more from the context alone.
 */

const project = resolve(import.meta.dirname, '../..');
const read = (name: string) => readFileSync(join(project, name), 'utf8');
const stages = readDockerfile(read('Dockerfile'));
const image = stages.at(-1)!;

const root = mkdtempSync(join(tmpdir(), 'image-'));
const data = join(root, 'data');
const run = (command: string, args: string[], cwd?: string) =>
  execFileSync(command, args, { cwd, encoding: 'utf8' });
/** Hard links, where the file system allows it: copies of the packages take seconds. */
const link = (from: string[], to: string) => {
  try {
    run('cp', ['-al', ...from, to]);
  } catch {
    run('cp', ['-a', ...from, to]);
  }
};
const folderOf = ({ name }: Stage) => join(root, name || 'image', 'app');

/** Substitutes of steps, by their text. */
const SUBSTITUTES: Record<string, (folder: string) => void> = {
  'npm ci --no-audit --no-fund': (folder) => {
    mkdirSync(join(folder, 'node_modules'));
    const packages = readdirSync(join(project, 'node_modules'))
      .filter((name) => !/^\.(cache|vite|package-lock)/.test(name))
      .map((name) => join(project, 'node_modules', name));
    link(packages, join(folder, 'node_modules'));
    // npm writes into it: not a link.
    cpSync(join(project, 'node_modules/.package-lock.json'), join(folder, 'node_modules/.package-lock.json'));
    // What tests have drawn is no part of the build.
    const filter = (path: string) => path !== join(project, 'dist/screenshots');
    if (!LONG) cpSync(join(project, 'dist'), join(folder, 'dist'), { recursive: true, filter });
  },
  'apt-get update && apt-get install -y --no-install-recommends fontconfig-config fonts-dejavu-core && rm -rf /var/lib/apt/lists/*':
    () => undefined,
  'install -d -o node -g node -m 0700 /data': () => mkdirSync(data, { mode: 0o700 }),
};
const output: string[] = [];

/** Copies as COPY does: of a folder its content, and files into a folder. */
function copy(text: string, folder: string): void {
  const [, from, paths] = /^(?:--from=(\w+) )?(.+)$/.exec(text)!;
  const sources = paths!.split(' ');
  const target = join(folder, sources.pop()!);
  if (!from) return copyContext(sources, target);
  for (const source of sources) {
    // The shell expands `*`.
    const found = run('sh', ['-c', `ls -d ${join(root, from, source)}`])
      .trim()
      .split('\n');
    mkdirSync(target, { recursive: true });
    link(
      found.map((path) => (statSync(path).isDirectory() ? `${path}/.` : path)),
      target,
    );
  }
}

/** Copies files of the project that a clean checkout has and that .dockerignore does not leave out. */
function copyContext(sources: string[], target: string): void {
  const isIgnored = ignoredBy(read('.dockerignore'));
  const isGenerated = ignoredBy(asDockerignore(read('.gitignore')));
  for (const source of sources) {
    const filter = (path: string) => {
      const relative = path.slice(project.length + 1);
      // A folder may be left out and have files that are not.
      return relative === '' || (!isGenerated(relative) && !isIgnored(relative));
    };
    const to = source === '.' ? target : join(target, basename(source));
    cpSync(join(project, source), to, { recursive: true, filter });
  }
}

beforeAll(() => {
  chmodSync(root, 0o755);
  for (const stage of stages) {
    const folder = folderOf(stage);
    mkdirSync(folder, { recursive: true });
    for (const { instruction, text } of stage.steps) {
      if (instruction === 'COPY') copy(text, folder);
      if (instruction !== 'RUN') continue;
      const substitute = SUBSTITUTES[text];
      if (substitute) substitute(folder);
      else output.push(run('sh', ['-c', text], folder));
    }
  }
}, 180_000);
afterAll(() => {
  if (existsSync(folderOf(image)))
    run('find', [folderOf(image), '-type', 'd', '-exec', 'chmod', 'u+w', '{}', '+']);
  rmSync(root, { recursive: true, force: true });
});

test('the build needs nothing that .dockerignore leaves out', () => {
  expect(stages.map(({ name }) => name)).toEqual(['build', '']);
  const [built] = output;
  // The hash over all sources is the same in the context as in the project.
  expect(built).toContain(LONG ? 'viewer built' : 'Nothing to build: dist/ is up to date.');
  const files = (folder: string) =>
    readdirSync(join(folder, 'dist'), { recursive: true, encoding: 'utf8' })
      // Names and compressed forms of the pages depend on the folder of the build.
      .filter((name) => /^(gateway|schema|subgraphs)\//.test(name))
      .sort();
  expect(files(folderOf(image))).toEqual(files(project));
});

test('the image has no development packages, sources, tests or settings of the project', () => {
  const names = readdirSync(folderOf(image)).sort();
  expect(names).toEqual(['LICENSE', 'NOTICE', 'dist', 'gateway', 'node_modules', 'package.json', 'schema']);
  const folder = (name: string) => join(folderOf(image), 'node_modules', name, 'package.json');
  const { dependencies } = JSON.parse(read('dist/image-package.json')) as Record<string, object>;
  expect(Object.keys(dependencies!).filter((name) => !existsSync(folder(name)))).toEqual([]);
  // For development, and what is in the bundles.
  for (const name of ['typescript', 'vite', 'fastify', 'graphql', 'zod'])
    expect([name, existsSync(folder(name))]).toEqual([name, false]);
  const sources = readdirSync(folderOf(image), { recursive: true, encoding: 'utf8' }).filter(
    (path) => !path.startsWith('node_modules/') && /\.ts$|\.test\.|(^|\/)\.env/.test(path),
  );
  expect(sources).toEqual([]);
});

test('what the last stage copies is at most 150 MB besides the engine of SQL, and has the licences of what it bundles', () => {
  // A machine without the prebuilt SQLite compiles it, and keeps what the compiler made.
  const compiled = ['obj.target', '.deps', 'obj', 'sqlite3.a'];
  const left = compiled.map((name) => `--exclude=better-sqlite3/build/Release/${name}`);
  const megabytes = (...args: string[]) => Number(run('du', ['-sm', ...args]).split('\t')[0]);
  expect(megabytes(...left, '--exclude=@duckdb', folderOf(image))).toBeLessThanOrEqual(150);
  expect(megabytes(join(folderOf(image), 'node_modules/@duckdb'))).toBeLessThanOrEqual(75);
  const licences = readFileSync(join(folderOf(image), 'dist/THIRD-PARTY-LICENSES'), 'utf8');
  for (const name of ['fastify', 'graphql', '@apollo/gateway', 'zod'])
    expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+`, 'm'));
});

test('the image runs as its user on a read-only tree, is healthy, and answers', async () => {
  const folder = folderOf(image);
  run('find', [folder, '-type', 'd', '-exec', 'chmod', 'a-w', '{}', '+']);
  const started = join(root, 'started');
  writeFileSync(started, '');
  const port = String(await freePort());
  const { HOST, ...set } = environmentOf(image);
  expect(HOST).toBe('0.0.0.0');
  const environment = {
    ...set,
    PATH: process.env['PATH'],
    HOST: '127.0.0.1',
    PORT: port,
    DATA_DIR: data,
    SHUTDOWN_DELAY_SECONDS: '0',
  };
  const [program, ...args] = [...asUser(), '/usr/bin/env', '-i', '-C', folder];
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const command = [program!, [...args, ...variables, ...commandOf(image, 'CMD')]] as const;
  let server: Child | undefined;
  try {
    const url = `http://127.0.0.1:${port}`;
    server = await startChild(
      ...command,
      async () => (await fetch(`${url}/health/ready`)).status === 200,
      90_000,
    );
    const probe = commandOf(image, 'HEALTHCHECK');
    execFileSync(probe[0]!, probe.slice(1), { env: { PATH: process.env['PATH'], PORT: port } });
    const answer = () => fetch(`${url}/open/fhir/ImagingStudy?patient=Patient/demo-tomas-novak`);
    // 503 until the images are indexed.
    await expect.poll(async () => (await answer()).status, { timeout: 60_000, interval: 200 }).toBe(200);
    expect(await (await answer()).json()).toMatchObject({
      resourceType: 'Bundle',
      total: expect.any(Number),
    });
    // The record is indexed by FHIRPath, and a trend converts units of UCUM: parts that are loaded when they are needed.
    const patient = 'demo-george-whitfield';
    const read = () => fetch(`${url}/open/fhir/Patient?deceased=false&_id=${patient}`);
    await expect.poll(async () => (await read()).status, { timeout: 60_000, interval: 200 }).toBe(200);
    expect(await (await read()).json()).toMatchObject({ total: 1 });
    const query = `{ Patient(id: "${patient}") { trend(code: ["2160-0"], unit: "g/L") { series { unit } } } }`;
    const trend = await fetch(`${url}/open/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    expect(await trend.json()).toMatchObject({ data: { Patient: { trend: { series: [{ unit: 'g/L' }] } } } });
    expect((await fetch(`${url}/app/`)).status).toBe(200);
    expect(readdirSync(data)).toContain('demo');
    expect(run('find', [folder, '-newer', started])).toBe('');
  } finally {
    await server?.end();
  }
}, 120_000);

/** Returns the program that becomes the user of the image, where this process may do that. */
function asUser(): string[] {
  const { text } = image.steps.findLast(({ instruction }) => instruction === 'USER')!;
  expect(text).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  if (process.getuid?.() !== 0) return [];
  const [user, group] = text.split(':').map(Number);
  chownSync(data, user!, group!);
  return ['/usr/bin/setpriv', `--reuid=${user}`, `--regid=${group}`, '--clear-groups', '--pdeathsig', 'KILL'];
}
