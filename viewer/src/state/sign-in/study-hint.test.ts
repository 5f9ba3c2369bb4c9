import { expect, test } from 'vitest';
import { memoryStorage } from '../browser/browser-storage.ts';
import { beginLaunch } from './smart-launch.ts';

const OWN = 'https://gateway.example/demo/oauth/authorize';
const server = {
  id: 'demo',
  name: 'demo',
  fhirBase: 'https://gateway.example/demo/fhir',
  clientId: 'viewer',
  isOwn: true,
};

test.each([
  ['our own server', OWN, 'tenant=demo&study=1.2', undefined, '1.2'],
  ['our own server, without a study', OWN, 'tenant=demo', undefined, null],
  ['our own server, in a launch that has a patient', OWN, 'tenant=demo&study=1.2', 'xyz', null],
  ['an EHR, which need not know', 'https://ehr.example/authorize', 'tenant=demo&study=1.2', undefined, null],
])('the study of the page is named to %s', async (_to, endpoint, returnTo, launch, hint) => {
  const known = { server, smart: { authorization_endpoint: endpoint } };
  const asked = { redirectUri: 'https://gateway.example/app/', returnTo, launch };
  const { searchParams } = await beginLaunch(known, asked, memoryStorage());
  expect(searchParams.get('study_hint')).toBe(hint);
});
