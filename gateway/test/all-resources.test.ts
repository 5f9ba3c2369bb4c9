/** FG-1: `npm run schema -- --all` makes the next start serve every resource type of R4. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, vi } from 'vitest';
import { freePort } from './setup/free-port.ts';
import { longTest } from './setup/usual-run.ts';

const root = join(import.meta.dirname, '../..');
const copy = mkdtempSync(join(tmpdir(), 'all-resources-'));
let server: ChildProcess | undefined;

afterAll(() => {
  server?.kill();
  rmSync(copy, { recursive: true });
});

/** Copies the project: the command writes into its schema. */
function copyProject(): void {
  for (const name of ['schema', 'gateway', 'subgraphs']) {
    cpSync(join(root, name), join(copy, name), {
      recursive: true,
      filter: (path) => !['test', 'node_modules'].includes(basename(path)),
    });
  }
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json']) {
    cpSync(join(root, name), join(copy, name));
  }
  mkdirSync(join(copy, 'viewer')); // nothing of it is built
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
}

const RESOURCES = [
  { resourceType: 'ValueSet', id: 'v', url: 'http://example.org/v', status: 'active' },
  { resourceType: 'Subscription', id: 's', status: 'off', reason: 'none', criteria: 'Patient?' },
  {
    resourceType: 'Account',
    id: 'a',
    status: 'active',
    name: 'an account',
    subject: [{ reference: 'Patient/p' }],
  },
  { resourceType: 'Patient', id: 'p', active: true },
];

async function start(): Promise<string> {
  const tenants = join(copy, 'tenants');
  mkdirSync(tenants);
  const record = join(copy, 'record.ndjson');
  writeFileSync(record, RESOURCES.map((resource) => JSON.stringify(resource)).join('\n'));
  const tenant = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'store', path: record },
    images: { type: 'folder', path: tenants, lookup: 'all-studies-on-server' },
  };
  writeFileSync(join(tenants, 't.json'), JSON.stringify(tenant));
  const port = await freePort();
  server = spawn(process.execPath, ['gateway/start.mjs'], {
    cwd: copy,
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      DATA_DIR: join(copy, 'data'),
      TENANTS_DIR: tenants,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}`;
  const ready = async () => expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  await vi.waitFor(ready, { timeout: 120_000, interval: 500 });
  return `${url}/t`;
}

longTest(
  'FG-1 all resource types of R4 are served by GraphQL and REST after npm run schema -- --all',
  async () => {
    copyProject();
    await promisify(execFile)('npm', ['run', '--silent', 'schema', '--', '--all'], { cwd: copy });
    const sdl = readFileSync(join(copy, 'schema/api.graphql'), 'utf8');
    expect(/^union ResourceUnion =(.*)$/m.exec(sdl)?.[1]?.split('|')).toHaveLength(146);
    const tenant = await start();
    const ask = async (path: string, query: string) => {
      const headers = { 'content-type': 'application/json' };
      const reply = await fetch(`${tenant}/${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ query }),
      });
      return reply.json();
    };
    const query = `{ ValueSetList(url: "http://example.org/v") { id status } SubscriptionList { __typename reason }
      Patient(id: "p") { AccountList { name subject { resource { ... on Patient { active } } } } } }`;
    for (const path of ['graphql', 'fhir/$graphql']) {
      expect(await ask(path, query)).toEqual({
        data: {
          ValueSetList: [{ id: 'v', status: 'active' }],
          SubscriptionList: [{ __typename: 'SubscriptionResource', reason: 'none' }],
          Patient: { AccountList: [{ name: 'an account', subject: [{ resource: { active: true } }] }] },
        },
      });
    }
    expect(
      await ask('fhir/Account/a/$graphql', '{ subject { resource(type: Patient) { active } } }'),
    ).toEqual({ data: { subject: [{ resource: { active: true } }] } });
    // Planned in the other thread, over the whole supergraph: on a busy machine its start may take too long.
    const planned = '{ Account(id: "a") { subject(fhirpath: "true") { reference } } }';
    await vi.waitFor(
      async () =>
        expect(await ask('graphql', planned)).toEqual({
          data: { Account: { subject: [{ reference: 'Patient/p' }] } },
        }),
      { timeout: 120_000, interval: 1000 },
    );
    const read = await fetch(`${tenant}/fhir/ValueSet/v`);
    expect(await read.json()).toMatchObject({ resourceType: 'ValueSet', id: 'v' });
  },
  300_000,
);
