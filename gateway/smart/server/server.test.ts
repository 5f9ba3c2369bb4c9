import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Started } from './test/started.ts';
import { startServer } from './test/started.ts';
import { PATIENT_SCOPE, SmartApp } from './test/smart-app.ts';

let started: Started;
beforeAll(async () => {
  started = await startServer();
});
afterAll(() => started.close());

test.each(['public-app', 'confidential-es', 'confidential-rs', 'secret-app'])(
  'standalone launch of %s: tokens with the patient in context (SMART App Launch §4.1)',
  async (id) => {
    const app = new SmartApp(started, id);
    const tokens = await app.tokens();
    expect(tokens).toMatchObject({
      token_type: 'bearer',
      expires_in: 3600,
      patient: 'p1',
      need_patient_banner: true,
      fhirUser: `${started.base}/fhir/Patient/p1`,
      smart_style_url: `${started.issuer}/smart-style.json`,
      id_token: expect.any(String),
      refresh_token: expect.any(String),
    });
    expect(new Set(tokens.scope!.split(' '))).toEqual(new Set(PATIENT_SCOPE.split(' ')));
    expect(started.errors).toEqual([]);
  },
);
