/** A mode of the tenant that is off: our authorization server neither names nor accepts it (IA-4). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { json } from './test/requests.ts';
import { SmartApp } from './test/smart-app.ts';
import { startServer, type Started } from './test/started.ts';

let launchOnly: Started;
let backendOnly: Started;
beforeAll(async () => {
  launchOnly = await startServer({ modes: ['app-launch'] });
  backendOnly = await startServer({ modes: ['backend-services'] });
});
afterAll(async () => {
  expect([...launchOnly.errors, ...backendOnly.errors]).toEqual([]);
  await launchOnly.close();
  await backendOnly.close();
});

/** The metadata as they are, without what a client library adds to them. */
const metadataOf = ({ issuer }: Started) => json(fetch(`${issuer}/.well-known/openid-configuration`));

describe('IA-4 Backend Services off', () => {
  test('the metadata name neither its grant nor its scopes', async () => {
    expect(await metadataOf(launchOnly)).toMatchObject({
      grant_types_supported: ['authorization_code', 'refresh_token'],
      scopes_supported: expect.not.arrayContaining([expect.stringMatching(/^system\//)]),
    });
  });

  test('a backend client of the tenant file is unknown', async () => {
    const answer = await new SmartApp(launchOnly, 'limited-backend').backend('system/ImagingStudy.rs');
    expect(answer.status).toBe(401);
    expect(await json(answer)).toMatchObject({ error: 'invalid_client' });
  });

  test('an app still launches', async () => {
    expect(await new SmartApp(launchOnly).tokens()).toMatchObject({ patient: 'p1' });
  });
});

describe('IA-4 App Launch off', () => {
  test('the metadata name no authorization endpoint, no grant and no scope of it', async () => {
    const metadata = await metadataOf(backendOnly);
    expect(metadata).not.toHaveProperty('authorization_endpoint');
    expect(metadata).toMatchObject({
      grant_types_supported: ['client_credentials'],
      response_types_supported: [],
      scopes_supported: expect.not.arrayContaining([
        expect.stringMatching(/^(patient|user)\/|launch|openid/),
      ]),
    });
  });

  test('an app of the tenant file is unknown', async () => {
    const answer = await fetch(await new SmartApp(backendOnly).url('launch/patient patient/*.rs'), {
      redirect: 'manual',
    });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toMatch(/invalid_client|client is invalid/);
  });

  test('a backend service still gets its token', async () => {
    const answer = await new SmartApp(backendOnly, 'limited-backend').backend('system/ImagingStudy.rs');
    expect(await json(answer)).toMatchObject({ scope: 'system/ImagingStudy.rs' });
  });
});
