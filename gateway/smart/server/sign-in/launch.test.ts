import { afterAll, beforeAll, expect, test } from 'vitest';
import { SmartApp } from '../test/smart-app.ts';
import { Browser, startServer, type Started } from '../test/started.ts';

let started: Started;
beforeAll(async () => {
  started = await startServer();
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

const launch = (body: unknown) =>
  fetch(`${started.issuer}/launch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

test('EHR launch: gives patient and encounter of the launch, without a choice (SMART App Launch §4.1.1)', async () => {
  const answer = await launch({ patient: 'p2', encounter: 'e1', need_patient_banner: false });
  expect(answer.status).toBe(201);
  const { launch: id } = (await answer.json()) as { launch: string };
  const choices = { scope: 'launch patient/*.rs', account: 'Practitioner/d1', parameters: { launch: id } };
  const app = new SmartApp(started);
  const tokens = await app.tokens(choices);
  expect(tokens).toMatchObject({ patient: 'p2', encounter: 'e1', need_patient_banner: false });
  expect(await app.introspect(tokens.access_token)).toMatchObject({ patient: 'p2', encounter: 'e1' });
  const again = await new Browser(started.issuer).open(await app.url(choices.scope, choices.parameters));
  expect(new URL(again.url).searchParams.get('error')).toBe('invalid_request');
});

test('a launch does not open a record that its user may not open', async () => {
  const { launch: id } = (await (await launch({ patient: 'p2' })).json()) as { launch: string };
  const app = new SmartApp(started);
  const back = await app.launch({
    scope: 'launch patient/*.rs',
    account: 'Patient/p1',
    parameters: { launch: id },
  });
  expect(back.searchParams.get('error')).toBe('access_denied');
});

test.each(['{', {}, { patient: '../p1' }, { patient: 'p1', more: 1 }])(
  'refuses the launch %o',
  async (body) => {
    expect((await launch(body)).status).toBe(400);
  },
);
