import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { unescape } from '../smart/server/test/started.ts';
import { startDemoGateway, type DemoGateway } from './clients/demo-gateway.ts';

let demo: DemoGateway;
beforeAll(async () => {
  demo = await startDemoGateway();
  // Names and studies need the record, which is loaded after the start.
  await vi.waitUntil(async () => (await fetch(`${demo.baseUrl}/health/ready`)).ok, { timeout: 40_000 });
}, 60_000);
afterAll(() => demo?.close());

const page = async () => (await fetch(`${demo.baseUrl}/`)).text();
const commandOf = (html: string) => unescape(/<pre class="command"[^>]*>(.*?)<\/pre>/s.exec(html)![1]!);
const tokenOf = (html: string) => /Bearer ([\w-]+)/.exec(html)![1]!;
const ask = (token: string, patient: string) =>
  fetch(`${demo.tenant}/fhir/Patient/${patient}`, { headers: { authorization: `Bearer ${token}` } });

test('the command of the start page works as it is pasted into a shell', async () => {
  const { stdout } = await promisify(execFile)('sh', ['-c', commandOf(await page())]);
  const { data, errors } = JSON.parse(stdout) as {
    data: { Patient: { birthDate: string; ImagingStudyList: object[] } };
    errors?: unknown;
  };
  expect(errors).toBeUndefined();
  expect(data.Patient.birthDate).toMatch(/^\d{4}/);
  expect(data.Patient.ImagingStudyList.length).toBeGreaterThan(0);
});

test('its token is for one patient, shared by visitors, and the page is not stored', async () => {
  const [first, second] = [await page(), await page()];
  expect(tokenOf(first)).toBe(tokenOf(second));
  expect((await ask(tokenOf(first), DEMO_PATIENT)).status).toBe(200);
  expect((await ask(tokenOf(first), 'demo-george-whitfield')).status).toBe(403);
  expect((await fetch(`${demo.baseUrl}/`)).headers.get('cache-control')).toBe('no-store');
});

test('it names the people of the sign-in, and not the secret', async () => {
  const html = await page();
  expect(html).toContain('Helen Marie Castellanos');
  expect(html).toContain('clinician, any record');
  expect(html).not.toContain(demo.analyst.secret);
});
