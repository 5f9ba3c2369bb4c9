import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { form, json } from '../test/requests.ts';
import { SmartApp } from '../test/smart-app.ts';
import { REDIRECT, SECRET, startServer, type Started } from '../test/started.ts';

let started: Started;
beforeAll(async () => {
  started = await startServer();
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

describe('SM-19 a code is spent after a failed exchange: the right exchange is then refused', () => {
  const basic = { authorization: `Basic ${btoa(`secret-app:${SECRET}`)}` };
  const exchangeOf = (app: SmartApp, code: string) => ({
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT,
    code_verifier: app.verifier,
    client_id: 'public-app',
  });
  test.each<[string, Record<string, string | undefined>, string, Record<string, string>?]>([
    ['another verifier', { code_verifier: 'x'.repeat(43) }, 'invalid_grant'],
    ['an empty verifier', { code_verifier: '' }, 'invalid_grant'],
    ['no verifier', { code_verifier: undefined }, 'invalid_grant'],
    ['another redirect URI', { redirect_uri: 'http://127.0.0.1:9/other' }, 'invalid_grant'],
    ['no redirect URI', { redirect_uri: undefined }, 'invalid_request'],
    ['another client, with its own secret', { client_id: undefined }, 'invalid_grant', basic],
    [
      'another client, with a wrong secret',
      { client_id: 'secret-app', client_secret: 'x' },
      'invalid_client',
    ],
    ['an unknown client', { client_id: 'nobody' }, 'invalid_client'],
    [
      'a client that may not use codes',
      { client_id: 'limited-backend', client_secret: SECRET },
      'invalid_request',
    ],
  ])('%s', async (_, wrong, error, headers) => {
    const app = new SmartApp(started);
    const right = exchangeOf(app, (await app.launch()).searchParams.get('code')!);
    const fields = Object.entries({ ...right, ...wrong }).filter(
      (field): field is [string, string] => !!field[1] || field[1] === '',
    );
    expect(await json(form(started, '/token', Object.fromEntries(fields), headers))).toMatchObject({ error });
    expect(await json(form(started, '/token', right))).toMatchObject({ error: 'invalid_grant' });
  });

  test('tokens of the code end too', async () => {
    const app = new SmartApp(started);
    const callback = await app.launch();
    const tokens = await app.exchange(callback);
    const again = { ...exchangeOf(app, callback.searchParams.get('code')!), code_verifier: 'x'.repeat(43) };
    expect((await form(started, '/token', again)).status).toBe(400);
    expect(await app.introspect(tokens.access_token)).toEqual({ active: false });
    expect((await app.refresh(tokens.refresh_token!)).status).toBe(400);
  });

  test('a request without a client, or with an unknown code, ends nothing', async () => {
    const app = new SmartApp(started);
    const right = exchangeOf(app, (await app.launch()).searchParams.get('code')!);
    const { client_id: _, ...nobody } = right;
    expect((await form(started, '/token', nobody)).status).toBe(400);
    expect((await form(started, '/token', { ...right, code: 'made-up' })).status).toBe(400);
    expect((await form(started, '/token', right)).status).toBe(200);
  });
});
