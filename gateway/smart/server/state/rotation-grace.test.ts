import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { json } from '../test/requests.ts';
import { SmartApp } from '../test/smart-app.ts';
import { startServer, type Started } from '../test/started.ts';

let started: Started;
const clock = { ahead: 0 };
beforeAll(async () => {
  started = await startServer({}, { now: () => Date.now() + clock.ahead });
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

describe('a public client’s refresh token is rotated (RFC 9700 §4.14)', () => {
  const refreshed = async (app: SmartApp, token: unknown) => json(app.refresh(String(token)));

  test('two tabs that refresh at once get the same successor, and their access tokens are valid', async () => {
    const app = new SmartApp(started);
    const { refresh_token: first } = await app.tokens();
    await app.metadata();
    const answers = await Promise.all(Array.from({ length: 8 }, () => refreshed(app, first)));
    const [second, ...others] = new Set(answers.map(({ refresh_token: token }) => token));
    expect(second).toEqual(expect.any(String));
    expect(second).not.toBe(first);
    expect(others).toEqual([]);
    for (const { access_token: token } of answers) {
      expect(await app.introspect(String(token))).toMatchObject({ active: true, patient: 'p1' });
    }
    expect(await app.introspect(first!)).toEqual({ active: false });
    expect(await refreshed(app, second)).toMatchObject({ patient: 'p1' });
  });

  test('using an older token than the last one ends the grant and its tokens at once', async () => {
    const app = new SmartApp(started);
    const { refresh_token: first } = await app.tokens();
    const second = await refreshed(app, first);
    const third = await refreshed(app, second['refresh_token']);
    expect(third['refresh_token']).not.toBe(second['refresh_token']);
    expect(await refreshed(app, first)).toMatchObject({ error: 'invalid_grant' });
    for (const { access_token: token } of [second, third]) {
      expect(await app.introspect(String(token))).toEqual({ active: false });
    }
    expect(await refreshed(app, third['refresh_token'])).toMatchObject({ error: 'invalid_grant' });
  });

  test.each([
    ['11 s later', 11_000],
    ['after the clock was set back by a minute', -60_000],
  ])('using the last token again ends the grant %s', async (_, step) => {
    const app = new SmartApp(started);
    const { refresh_token: first } = await app.tokens();
    const second = await refreshed(app, first);
    clock.ahead += step;
    expect(await refreshed(app, first)).toMatchObject({ error: 'invalid_grant' });
    expect(await app.introspect(String(second['access_token']))).toEqual({ active: false });
    expect(await refreshed(app, second['refresh_token'])).toMatchObject({ error: 'invalid_grant' });
    clock.ahead -= step;
  });

  test('a revocation takes effect also within the grace period', async () => {
    const app = new SmartApp(started);
    const { refresh_token: first } = await app.tokens();
    const second = await refreshed(app, first);
    expect((await app.revoke(String(second['refresh_token']))).status).toBe(200);
    expect(await refreshed(app, first)).toMatchObject({ error: 'invalid_grant' });
  });

  test('another client cannot use the token', async () => {
    const { refresh_token: first } = await new SmartApp(started).tokens();
    await new SmartApp(started).refresh(first!);
    expect(await refreshed(new SmartApp(started, 'secret-app'), first)).toMatchObject({
      error: 'invalid_grant',
    });
  });
});
