import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openFirstSeen } from '../../subgraphs/imaging/cache/first-seen.ts';
import { bearer, json } from '../smart/server/test/requests.ts';
import { SmartApp } from '../smart/server/test/smart-app.ts';
import { startServer } from '../smart/server/test/started.ts';
import { SettingsError } from '../settings.ts';
import { backUp } from '../state/backup.ts';

/** A copy that is made while the gateway runs, put into an empty DATA_DIR, keeps valid what was valid. */

const folder = mkdtempSync(join(tmpdir(), 'backup-'));
afterAll(() => rmSync(folder, { recursive: true }));
const program = join(import.meta.dirname, '../../dist/gateway/main.js');
const study = [{ studyUid: '1.2.3', instances: 5 }];
const jwks = (issuer: string) => json(fetch(`${issuer}/jwks`));

test('keys, sign-ins, tokens and times of studies are restored', async () => {
  const before = await startServer();
  const app = new SmartApp(before);
  const tokens = await app.tokens();
  const [published, revoked] = [await jwks(before.issuer), await new SmartApp(before).tokens()];
  await new SmartApp(before).revoke(revoked.refresh_token!);
  const seen = openFirstSeen(before.dataDir, () => 1_000_000);
  await seen.observe('demo', study);
  mkdirSync(join(before.dataDir, 'folders'));
  writeFileSync(join(before.dataDir, 'folders', 'index.sqlite'), 'built again');

  const copy = join(folder, 'copy');
  expect(backUp(before.dataDir, copy)).toEqual([
    join('oauth', 'state.sqlite'),
    'seen.sqlite',
    join('oauth', 'demo.keys.json'),
  ]);
  // What comes after the copy is not in it.
  const late = await new SmartApp(before).tokens();
  seen.close();
  await before.close();
  expect(readdirSync(copy).sort()).toEqual(['oauth', 'seen.sqlite']);
  for (const file of ['seen.sqlite', 'oauth/state.sqlite', 'oauth/demo.keys.json'])
    expect(statSync(join(copy, file)).mode & 0o777).toBe(0o600);

  const { port, keys } = before;
  const after = await startServer({}, { dataDir: copy, port, keys });
  expect(await jwks(after.issuer)).toEqual(published);
  expect(await new SmartApp(after).introspect(tokens.access_token)).toMatchObject({ active: true });
  expect((await fetch(`${after.issuer}/me`, { headers: bearer(tokens.access_token) })).status).not.toBe(500);
  expect((await new SmartApp(after).refresh(tokens.refresh_token!)).status).toBe(200);
  for (const { access_token: token } of [revoked, late])
    expect(await new SmartApp(after).introspect(token)).toEqual({ active: false });
  const restored = openFirstSeen(copy, () => 2_000_000);
  expect((await restored.observe('demo', study)).get('1.2.3')).toEqual({
    lastUpdated: new Date(1_000_000_000).toISOString(),
    fresh: false,
  });
  restored.close();
  await after.close();
}, 60_000);

test('the command prints what it has copied, and takes only a folder of its own', () => {
  const data = join(folder, 'data');
  openFirstSeen(data, () => 1).close();
  const run = (...args: string[]) => {
    const env = { PATH: process.env['PATH'], DATA_DIR: data };
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'backup', ...args], {
      env,
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };
  const target = join(folder, 'by-command');
  expect(run(target)).toEqual({ status: 0, stdout: 'seen.sqlite\n', stderr: '' });
  expect(run(target)).toMatchObject({
    status: 1,
    stderr: `${target} is not empty: a backup needs a folder of its own.\n`,
  });
  expect(run()).toMatchObject({ status: 1, stderr: 'Usage: node dist/gateway/main.js backup FOLDER\n' });
  expect(() => backUp(join(folder, 'nothing'), join(folder, 'other'))).toThrow(SettingsError);
}, 60_000);
