import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { freePort } from './setup/free-port.ts';
import { testEach } from './setup/usual-run.ts';

/** The program as it is started: built, in a separate process. */
const program = join(import.meta.dirname, '../../dist/gateway/main.js');
const directory = mkdtempSync(join(tmpdir(), 'main-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const environment = (more: Record<string, string>) => ({
  PATH: process.env['PATH'],
  DATA_DIR: join(directory, 'data'),
  SHUTDOWN_DELAY_SECONDS: '0',
  ...more,
});

/** Returns a folder with a mock tenant of an archive that is away. */
function oneTenant(): string {
  const tenants = mkdtempSync(join(directory, 'tenants-'));
  const images = { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint: 'http://127.0.0.1:9' };
  const authorization = { type: 'mock', disableAuthzChecks: true };
  const tenant = { authorization, clinical: { type: 'none' }, images };
  writeFileSync(join(tenants, 'a.json'), JSON.stringify(tenant));
  return tenants;
}

const linesOf = (text: string) => text.split('\n').filter(Boolean);
const isJson = (line: string) => line.startsWith('{') && typeof JSON.parse(line) === 'object';

test('SM-18 a check of a tenant that does not exist writes nothing', () => {
  const data = join(directory, 'unused');
  const env = environment({ DATA_DIR: data, HOST: '127.0.0.1' });
  const { status, stdout } = spawnSync(process.execPath, [program, 'check-tenant', 'pacs'], {
    env,
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stdout).toMatch(/^There is no tenant pacs in .*gateway\/tenants; TENANTS_DIR is not set/);
  expect(existsSync(data)).toBe(false);
});

test('LOG_FORMAT=json: all output is JSON, also that no tenant is served', async () => {
  const port = String(await freePort());
  const env = environment({ PORT: port, HOST: '0.0.0.0', LOG_FORMAT: 'json', TENANTS_DIR: oneTenant() });
  const child = spawn(process.execPath, [program], { env });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close');
  await vi.waitUntil(() => /no tenant is served/.test(output) || child.exitCode !== null, {
    timeout: 50_000,
    interval: 100,
  });
  child.kill('SIGTERM');
  await ended;
  expect(linesOf(output).filter((line) => !isJson(line))).toEqual([]);
  const messages = linesOf(output).map((line) => (JSON.parse(line) as { msg: string }).msg);
  const order = ['tenant left out', 'ready after', 'no tenant is served'];
  const places = order.map((start) => messages.findIndex((message) => message.startsWith(start)));
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
}, 60_000);

describe('a start with a wrong configuration ends at once with the reason', () => {
  const WRONG: [what: string, env: Record<string, string>, reasons: RegExp[]][] = [
    ['environment', { PORT: 'x', LOG_LEVEL: 'loud' }, [/PORT must be a number/, /LOG_LEVEL must be one of/]],
    [
      'tenants',
      { TENANTS_DIR: directory },
      [/wrong\.json: authorization\.type: /, /broken\.json: \(root\): is not JSON/],
    ],
    ['no tenants', { TENANTS_DIR: '/nowhere' }, [/TENANTS_DIR/]],
    ['DATA_DIR that is a file', { DATA_DIR: program }, [/^DATA_DIR: .*main\.js.* is not a folder\.$/m]],
    ['DATA_DIR below a file', { DATA_DIR: join(program, 'data') }, [/^DATA_DIR: .* is not a folder\.$/m]],
    [
      'HOST of another machine',
      { TENANTS_DIR: oneTenant(), HOST: '192.0.2.1' },
      [/^HOST: no network interface of this machine has the address 192\.0\.2\.1\.$/m],
    ],
  ];
  testEach(WRONG, ([what]) => what === 'tenants' || what.startsWith('HOST'))('%s', (_what, env, reasons) => {
    writeFileSync(join(directory, 'wrong.json'), '{ "authorization": { "type": "kerberos" }, "images": {} }');
    writeFileSync(join(directory, 'broken.json'), '{ "password": "hunter2"');
    const { status, stderr } = spawnSync(process.execPath, [program], {
      env: environment(env),
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    for (const reason of reasons) expect(stderr).toMatch(reason);
    expect(stderr).not.toMatch(/hunter2|\n\s+at /);
  });
});

test('a port that another program uses: which one, and what to do, without a stack', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const env = environment({ PORT: String(port), TENANTS_DIR: oneTenant() });
  const failed = await promisify(execFile)(process.execPath, [program], { env }).catch(
    (error: unknown) => error,
  );
  other.close();
  expect(failed).toMatchObject({ code: 1 });
  const { stderr } = failed as { stderr: string };
  expect(stderr).toContain(`Another program uses port ${port} of 127.0.0.1. End it, or set another PORT.`);
  expect(stderr).not.toMatch(/\n\s+at /);
}, 60_000);

test('SIGTERM while the images are made ends the process at once, and leaves no folder that looks complete', async () => {
  const env = environment({ PORT: String(await freePort()) });
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((done) => child.once('exit', done));
  for await (const chunk of child.stdout) {
    if (/demonstration images [1-9]/.test(String(chunk))) break;
  }
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  const made = readdirSync(join(directory, 'data', 'demo')).filter((name) => name !== 'secret');
  expect(made).toEqual([expect.stringMatching(/building/)]);
}, 60_000);

test('starts, prints commands for a token and a first request, answers /dyn, and on SIGTERM completes open requests', async () => {
  const port = await freePort();
  const metricsPort = await freePort();
  const env = environment({
    PORT: String(port),
    METRICS_PORT: String(metricsPort),
    DYN_ALLOWED_HOSTS: 'pacs.invalid',
  });
  const child = spawn(process.execPath, [program], { env });
  let output = '';
  let log = '';
  child.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((done) => child.once('close', done));
  const url = `http://127.0.0.1:${port}`;
  try {
    // The commands come after the line that says it listens.
    const commands = /a first request:\n(TOKEN=.+)\n(curl .+)\n/;
    await vi.waitUntil(() => commands.test(output) || child.exitCode !== null, {
      timeout: 90_000,
      interval: 100,
    });
    const [, token, first] = commands.exec(output) ?? [];
    // A warning of a part that only tenants with their own authorization server need.
    expect(output).not.toContain('oidc-provider');
    expect(readdirSync(join(directory, 'data', 'demo'))).toEqual(['images', 'secret']);
    const secret = readFileSync(join(directory, 'data', 'demo', 'secret'), 'utf8');

    // The two lines as a newcomer pastes them into a shell.
    const shell = `${token}\necho $TOKEN\n${first}\n`;
    // Until the images are indexed, their part of the answer says so.
    const run = async () => (await promisify(execFile)('sh', ['-c', shell])).stdout;
    let stdout = '';
    const isIndexed = async () => !(stdout = await run()).includes('is being indexed');
    await vi.waitUntil(isIndexed, { timeout: 60_000, interval: 200 });
    const [bearer, answer] = stdout.split('\n') as [string, string];
    const { data, errors } = JSON.parse(answer) as { data: { Patient: object }; errors?: unknown };
    expect(errors).toBeUndefined();
    for (const [list, found] of Object.entries(data.Patient)) expect([list, found]).not.toEqual([list, []]);
    expect(output).not.toContain(secret);
    expect(output).not.toContain(bearer);
    expect((await fetch(`${url}/demo/fhir/ImagingStudy`)).status).toBe(401);

    const configuration = {
      authorization: { type: 'mock', disableAuthzChecks: true },
      images: {
        type: 'dicom-web',
        lookup: 'all-studies-on-server',
        endpoint: 'http://pacs.invalid/dicom-web',
      },
    };
    const encoded = Buffer.from(JSON.stringify(configuration)).toString('base64url');
    const statement = await fetch(`${url}/dyn/${encoded}/fhir/metadata`);
    expect(statement.status).toBe(200);
    expect(await statement.text()).toContain(`/dyn/${encoded}/fhir`);
    expect((await fetch(`${url}/dyn/${encoded}/dicomweb/studies`)).status).toBe(503);
    expect(output).not.toContain(encoded);

    // With METRICS_PORT the metrics are on that port only, and on HOST only.
    expect(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()).toContain(
      'http_request_duration_seconds_count{method="GET",route="/:tenant/fhir/ImagingStudy",status="401",api="fhir"} 1',
    );
    expect((await fetch(`${url}/metrics`)).status).toBe(404);
    expect(await (await fetch(url)).text()).not.toContain('href="metrics"');
    await expect(fetch(`http://127.0.0.2:${metricsPort}/metrics`)).rejects.toThrow();

    const type = 'application/x-www-form-urlencoded';
    const headers = { 'content-type': type, expect: '100-continue' };
    const begun = request(`${url}/open/fhir/ImagingStudy/_search`, { method: 'POST', headers });
    await once(begun, 'continue');
    child.kill('SIGTERM');
    begun.end('patient=87a339d0-8cae-418e-89c7-8651e6aab3c6');
    const [{ statusCode }] = (await once(begun, 'response')) as [IncomingMessage];
    expect(statusCode).toBe(200);
    expect(await ended).toBe(0);
    expect(linesOf(log).filter((line) => line.startsWith('{') && !isJson(line))).toEqual([]);
  } finally {
    child.kill('SIGKILL');
  }
}, 240_000);
