/** IA-36 SMART Health Links through the whole gateway: what an owner and a receiver can do, and what nobody can. */
import type { Bundle, Endpoint, FhirResource, ImagingStudy } from 'fhir/r4.js';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attacks } from './share-attacks.ts';
import {
  DAY,
  decrypt,
  GEORGE,
  inDays,
  MARIA,
  PASSCODE,
  readLink,
  resources,
  startShareGateway,
  type Answer,
  type SharedLink,
  type ShareGateway,
} from './share-gateway.ts';

const RECIPIENT = 'Dr Weiss, Kiel';
const REPORT = 'DiagnosticReport/demo-alvarez-report-rb25-061902';

let gateway: ShareGateway;
let maria: string;
let george: string;
let study: string;
let others: string[];

beforeAll(async () => {
  gateway = await startShareGateway();
  maria = await gateway.token(`Patient/${MARIA}`);
  george = await gateway.token(`Patient/${GEORGE}`);
  [study = ''] = await gateway.studiesOf(maria);
  others = await gateway.studiesOf(george);
}, 120_000);
afterAll(() => gateway.close());

const wanted = (more: object = {}) => ({
  studies: [study],
  resources: [REPORT],
  expires: inDays(5, gateway.clock.late),
  uses: 5,
  passcode: PASSCODE,
  label: 'X-ray of the knee',
  ...more,
});
const share = (more: object = {}, token = maria, tenant = 'clinic') =>
  gateway.ask(`/${tenant}/share`, { token, json: wanted(more) });
const list = async (token = maria) =>
  (await gateway.ask('/clinic/share', { token })).json['links'] as Record<string, unknown>[];
const revoke = (id: string, token = maria) => gateway.ask(`/clinic/share/${id}`, { method: 'DELETE', token });

/** Makes a link that the test revokes, so that tests do not use up the 20 of a person. */
async function withLink(
  run: (link: SharedLink & ReturnType<typeof readLink>) => Promise<void>,
  more: object = {},
) {
  const { status, json } = await share(more);
  expect(status).toBe(201);
  const made = json as unknown as SharedLink;
  try {
    await run({ ...made, ...readLink(made.link) });
  } finally {
    await revoke(made.id);
  }
}
const open = (path: string, more: object = {}) =>
  gateway.ask(path, { json: { recipient: RECIPIENT, passcode: PASSCODE, embeddedLengthMax: 1e7, ...more } });
const embedded = ({ json }: Answer) => (json['files'] as { embedded: string }[]).map((file) => file.embedded);
const opened = async ({ path, key }: { path: string; key: string }) =>
  Promise.all(embedded(await open(path)).map(async (jwe) => (await decrypt(jwe, key)).bundle));
const addressIn = (bundles: Bundle<FhirResource>[]) =>
  new URL(
    resources(bundles).find(
      (one): one is Endpoint =>
        one.resourceType === 'Endpoint' && one.connectionType.code === 'dicom-wado-rs',
    )!.address,
  ).pathname;

describe('making a link', () => {
  test('the answer has the link, its end, and what it lacks; the link is as the specification wants it', async () => {
    await withLink(async ({ id, link, expires, notIncluded, url, flag, key, exp, label }) => {
      expect(id).toMatch(/^s_[\w-]{22}$/);
      expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/share#shlink:\/[\w-]+$/);
      expect(url).toMatch(new RegExp(`^${gateway.baseUrl}/clinic/shl/[\\w-]{43}$`));
      expect(url.length).toBeLessThanOrEqual(128);
      expect(key).toMatch(/^[\w-]{43}$/);
      expect({ flag, label, notIncluded }).toEqual({
        flag: 'LP',
        label: 'X-ray of the knee',
        notIncluded: [],
      });
      expect(exp).toBe(Date.parse(expires) / 1000);
    });
    await withLink(async ({ flag }) => expect(flag).toBe('P'), { uses: 1 });
  });

  test.each<[status: number, why: string, () => Promise<Answer>]>([
    [400, 'a wrong field', () => share({ uses: 0 })],
    [400, 'no passcode', () => share({ passcode: undefined })],
    [400, 'a passcode that is too short', () => share({ passcode: '12345' })],
    [400, 'a body that is no JSON', () => gateway.ask('/clinic/share', { token: maria, raw: '{' })],
    [401, 'no token', () => gateway.ask('/clinic/share', { json: wanted() })],
    [403, 'a study of another patient', () => share({ studies: [others[0]] })],
    [403, 'one of another patient beside an own one', () => share({ studies: [study, others[0]] })],
    [403, 'a study that does not exist', () => share({ studies: ['1.2.3.4'] })],
    [
      403,
      'a report of another patient',
      () => share({ resources: ['DiagnosticReport/demo-whitfield-labreport-1'] }),
    ],
    [403, 'a report that does not exist', () => share({ resources: ['DiagnosticReport/none'] })],
    [404, 'sharing is off', () => share({}, maria, 'off')],
    [404, 'no such tenant', () => share({}, maria, 'nobody')],
    [501, 'a record that wants the token of each user', () => share({}, maria, 'ehr')],
  ])('%i: %s', async (status, _why, ask) => {
    const { status: got, text } = await ask();
    // A tenant of an EHR asks it about the token first, and it is not there.
    expect(status === 501 ? [501, 502, 503] : [status]).toContain(got);
    expect(text).not.toContain(PASSCODE);
    expect(await list()).toEqual([]);
  });

  test('IA-7 what does not exist and what is of others are refused alike', async () => {
    const answers = await Promise.all(
      [{ studies: [others[0]] }, { studies: ['1.2.3.4'] }, { resources: ['Observation/none'] }].map((one) =>
        share(one),
      ),
    );
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  });

  test('a service, and a caller without a patient, cannot share', async () => {
    const form = { grant_type: 'client_credentials', scope: 'system/*.rs' };
    const answer = await fetch(`${gateway.baseUrl}/clinic/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('backend:a-secret-of-the-demonstration')}` },
      body: new URLSearchParams(form),
    });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    expect((await share({}, token)).status).toBe(403);
    expect((await gateway.ask('/clinic/share', { token })).status).toBe(403);
  });

  test('what the scopes of the token do not cover is named and left out', async () => {
    const scope = 'openid fhirUser launch/patient patient/ImagingStudy.rs';
    const token = await gateway.token(`Patient/${MARIA}`, { scope });
    const { status, json } = await share({}, token);
    expect(status).toBe(201);
    expect(json['notIncluded']).toEqual([`Patient/${MARIA}`, REPORT]);
    expect((await revoke(String(json['id']), token)).status).toBe(204);
    expect((await share({ studies: [] }, token)).status).toBe(403);
  });

  test('429 for the 21st link of one owner, of many at once too; not for another owner', async () => {
    const [allergy] = (
      (await gateway.ask('/clinic/fhir/AllergyIntolerance', { token: maria })).json as unknown as Bundle
    ).entry!.map(({ resource }) => resource!.id!);
    const asked = { studies: [], resources: [`AllergyIntolerance/${allergy}`], uses: 1 };
    const statuses: number[] = [];
    for (let round = 0; round < 4; round++) {
      const answers = await Promise.all(Array.from({ length: 6 }, () => share(asked)));
      statuses.push(...answers.map(({ status }) => status));
    }
    expect(statuses.filter((status) => status === 201)).toHaveLength(20);
    expect(statuses.filter((status) => status === 429)).toHaveLength(4);
    expect((await share(asked, george)).status).toBe(403);
    for (const { id } of await list()) await revoke(String(id));
    expect(await list()).toEqual([]);
  }, 60_000);
});

describe('the list', () => {
  test('shows what there is, never the link or its passcode, and only to the owner', async () => {
    await withLink(async ({ id, expires, path }) => {
      const entry = { id, label: 'X-ray of the knee', expires, usesLeft: 5 };
      expect(await list()).toEqual([entry]);
      await open(path);
      const [after] = await list();
      const lastOpening = { time: expect.stringMatching(/^20/), recipient: RECIPIENT };
      expect(after).toEqual({ ...entry, usesLeft: 4, lastOpening });
      expect(await list(george)).toEqual([]);
      expect((await revoke(id, george)).status).toBe(404);
      expect(await list()).toHaveLength(1);
    });
    expect(await list()).toEqual([]);
  });
});

describe('a receiver', () => {
  test('gets files that `jose` opens with its defaults: a snapshot, and each study with the addresses of the link', async () => {
    await withLink(async ({ path, key }) => {
      const answer = await open(path);
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
      const described = { contentType: 'application/fhir+json', fhirVersion: '4.0.1' };
      expect(answer.json['files']).toMatchObject([described, described]);
      const files = await Promise.all(embedded(answer).map((jwe) => decrypt(jwe, key)));
      for (const { header } of files)
        expect(header).toMatchObject({ alg: 'dir', enc: 'A256GCM', cty: 'application/fhir+json' });
      const bundles = files.map(({ bundle }) => bundle);
      expect(bundles.map(({ type }) => type)).toEqual(['collection', 'collection']);
      const [snapshot, ofStudy] = bundles.map((bundle) => resources([bundle]));
      expect(snapshot!.map(({ resourceType, id }) => [resourceType, id])).toEqual([
        ['Patient', MARIA],
        REPORT.split('/'),
        ['Endpoint', undefined],
      ]);
      expect(snapshot!.at(-1)).toMatchObject({
        address: `${gateway.baseUrl}/share`,
        connectionType: { system: 'https://smarthealthit.org', code: 'shl-interactive-experience' },
      });
      const [imagingStudy, endpoint] = ofStudy as [ImagingStudy, Endpoint];
      expect(imagingStudy.id).toBe(study);
      const instances = imagingStudy.series!.flatMap(({ instance = [] }) => instance);
      expect(instances).toHaveLength(imagingStudy.numberOfInstances!);
      expect(endpoint.address).toMatch(new RegExp(`^${gateway.baseUrl}/clinic/shared/[\\w-]{43}/dicom-web$`));
      expect(endpoint.extension!.map(({ valueBoolean }) => valueBoolean)).toEqual([false, false]);
      expect(imagingStudy.endpoint).toEqual([
        { reference: ofStudy && bundles[1]!.entry![1]!.fullUrl, type: 'Endpoint' },
      ]);
      expect(JSON.stringify(bundles)).not.toContain('/clinic/dicomweb');
    });
  });

  test('gets files by an address that works once', async () => {
    await withLink(async ({ path, key }) => {
      const { json } = await open(path, { embeddedLengthMax: 0 });
      const locations = (json['files'] as { location: string }[]).map(
        ({ location }) => new URL(location).pathname,
      );
      expect(locations).toHaveLength(2);
      for (const location of locations) {
        expect((await gateway.ask(location, { method: 'HEAD' })).status).toBe(404);
        const first = await gateway.ask(location);
        expect(first.headers).toMatchObject({
          'content-type': 'application/jose',
          'cache-control': 'no-store',
        });
        expect((await decrypt(first.text, key)).bundle.resourceType).toBe('Bundle');
        expect((await gateway.ask(location)).status).toBe(404);
      }
    });
  });

  test('learns how many tries are left; a used-up, revoked, expired or unknown link looks the same', async () => {
    const bodies = new Set<string>();
    const gone = async (path: string) => {
      const { status, text, headers } = await open(path);
      expect(status).toBe(404);
      expect(headers['retry-after']).toBeUndefined();
      bodies.add(text);
    };
    await withLink(
      async ({ path, id }) => {
        expect((await gateway.ask(path, { json: {} })).status).toBe(400);
        const wrong = await open(path, { passcode: 'wrong' });
        expect({ status: wrong.status, json: wrong.json }).toEqual({
          status: 401,
          json: { remainingAttempts: 4 },
        });
        expect((await open(path)).status).toBe(200);
        await gone(path);
        await gone(`${path.slice(0, -5)}AAAAA`);
        await revoke(id);
        await gone(path);
      },
      { uses: 1 },
    );
    await withLink(async ({ path }) => {
      for (let left = 4; left >= 0; left--)
        expect((await open(path, { passcode: 'wrong' })).json['remainingAttempts']).toBe(left);
      await gone(path);
    });
    await withLink(async ({ path }) => {
      gateway.clock.late += 6 * DAY;
      await gone(path);
      gateway.clock.late -= 6 * DAY;
    });
    expect(bodies.size).toBe(1);
  });

  test('finds nothing in another tenant, or where sharing is off', async () => {
    await withLink(async ({ path }) => {
      for (const tenant of ['other', 'off', 'ehr', 'nobody'])
        expect((await open(path.replace('clinic', tenant))).status).toBe(404);
    });
  });

  test('is told to wait after many openings', async () => {
    const answers = await Promise.all(
      Array.from({ length: 150 }, () =>
        gateway.ask('/other/shl/unknown', { json: { recipient: RECIPIENT }, from: '127.0.0.2' }),
      ),
    );
    const late = answers.filter(({ status }) => status === 429);
    expect(late.length).toBeGreaterThan(50);
    for (const { headers } of late) expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect(answers.every(({ status }) => status === 429 || status === 404)).toBe(true);
  });
});

describe('images by the capability', () => {
  test('the study is retrieved and read without a token, with addresses of the link; nothing else is', async () => {
    await withLink(async (link) => {
      const address = addressIn(await opened(link));
      const series = await gateway.ask(`${address}/studies/${study}/series`);
      expect(series.status).toBe(200);
      expect(series.text).toContain(`${address}/studies/${study}/series`);
      const metadata = await gateway.ask(`${address}/studies/${study}/metadata`);
      expect(metadata).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
      expect(metadata.text).not.toContain('/clinic/dicomweb');
      expect((await gateway.ask(`${address}/studies/${study}/rendered`)).status).toBe(200);
      const read = await gateway.ask(`${address.replace('dicom-web', 'fhir')}/ImagingStudy/${study}`);
      const { contained, endpoint } = read.json as unknown as ImagingStudy;
      expect(contained).toMatchObject([{ id: 'e', address: `${gateway.baseUrl}${address}` }]);
      expect(endpoint).toEqual([{ reference: '#e', type: 'Endpoint' }]);
    });
  });

  test('the next request after revoking is refused', async () => {
    let address = '';
    await withLink(async (link) => {
      address = addressIn(await opened(link));
      expect((await gateway.ask(`${address}/studies/${study}/metadata`)).status).toBe(200);
    });
    expect((await gateway.ask(`${address}/studies/${study}/metadata`)).status).toBe(404);
  });

  test('it ends 12 hours after an opening', async () => {
    await withLink(async (link) => {
      const address = addressIn(await opened(link));
      gateway.clock.late += DAY / 2;
      expect((await gateway.ask(`${address}/studies/${study}/metadata`)).status).toBe(404);
      gateway.clock.late -= DAY / 2;
    });
  });

  test('IA-31 a study that is withheld after sharing closes manifest, files and images', async () => {
    await withLink(async (link) => {
      const { json } = await open(link.path, { embeddedLengthMax: 0 });
      const [{ location }] = json['files'] as [{ location: string }];
      const address = addressIn(await opened(link));
      gateway.change('clinic', { authorization: { type: 'embedded', withhold: [{ studyUid: [study] }] } });
      try {
        expect((await open(link.path)).status).toBe(404);
        expect((await gateway.ask(new URL(location).pathname)).status).toBe(404);
        expect((await gateway.ask(`${address}/studies/${study}/metadata`)).status).toBe(404);
      } finally {
        gateway.change('clinic', {});
      }
      expect((await open(link.path)).status).toBe(200);
    });
  });
  test('300 requests with real ids of others reach nothing, and each is recorded', async () => {
    await withLink(async (link) => {
      const address = addressIn(await opened(link));
      await attacks(gateway, { address, study, others }, 300);
    });
  }, 120_000);
});

describe('IA-30 what is left behind', () => {
  test('audit records name the link by its id, the receiver as they said, and the patient', async () => {
    await withLink(async (link) => {
      const { id, path } = link;
      gateway.events.length = 0;
      const address = addressIn(await opened(link));
      await open(path, { passcode: 'wrong' });
      await gateway.ask(`${address}/studies/${study}/metadata`);
      await gateway.ask(`${address}/studies/${others[0]}/metadata`);
      const told = gateway.events.map(({ client, patient, share: event, study: uid, outcome }) => ({
        client,
        patient,
        event,
        uid,
        outcome: outcome.kind,
      }));
      const client = `shl:${id}`;
      const event = { id, event: 'opened', recipient: RECIPIENT };
      expect(told).toEqual([
        { client: undefined, patient: MARIA, event, uid: undefined, outcome: 'allowed' },
        { client: undefined, patient: undefined, event, uid: undefined, outcome: 'denied' },
        { client, patient: MARIA, event: undefined, uid: study, outcome: 'allowed' },
        { client, patient: undefined, event: undefined, uid: others[0], outcome: 'denied' },
      ]);
    });
    const events = gateway.events.flatMap(({ share: event }) => event?.event ?? []);
    expect(events).toContain('revoked');
  });

  test('no secret, passcode, link, capability or name is in the log, the audit or the state', async () => {
    gateway.lines.length = 0;
    const secrets: string[] = [PASSCODE];
    const leave = { label: 'A label of a person' };
    await withLink(async (link) => {
      const { path, key } = link;
      const bundles = await opened(link);
      const address = addressIn(bundles);
      const { json } = await open(path, { embeddedLengthMax: 0 });
      const [{ location }] = json['files'] as [{ location: string }];
      await gateway.ask(new URL(location).pathname);
      await gateway.ask(new URL(location).pathname);
      await open(path, { passcode: 'a wrong passcode' });
      await gateway.ask(path, { raw: '{"passcode": a broken body' });
      await gateway.ask(`${path}/more`);
      await gateway.ask(`${address}/studies/${study}/metadata`);
      await gateway.ask(`${address}/studies/1.2.3/metadata`);
      await gateway.ask(`${address}/nothing`);
      const [ticket = ''] = location.split('.').slice(-1);
      secrets.push(
        path.split('/').at(-1)!,
        key,
        address.split('/')[3]!,
        ticket,
        'a wrong passcode',
        'broken body',
      );
      const folder = join(gateway.dataDir, 'share');
      const files = existsSync(folder) ? readdirSync(folder) : [];
      const state = files.map((name) => readFileSync(join(folder, name), 'latin1')).join('');
      expect(state).not.toBe('');
      for (const text of [...secrets, study, MARIA, 'lvarez', RECIPIENT, 'A label', REPORT])
        expect(state.includes(text), text).toBe(false);
    }, leave);
    const written = gateway.lines.join('');
    expect(written).toContain('SMART Health Link: opened');
    for (const secret of secrets) expect(written.includes(secret), secret).toBe(false);
  });
});

test('where the tenant lets people choose, a link needs no passcode', async () => {
  const { json } = await gateway.ask('/family/share', {
    json: wanted({ studies: [], passcode: undefined, uses: 1 }),
  });
  const { path, flag } = readLink((json as unknown as SharedLink).link);
  expect(flag).toBeUndefined();
  expect((await gateway.ask(path, { json: { recipient: RECIPIENT } })).status).toBe(200);
  expect((await gateway.ask(path, { json: { recipient: RECIPIENT } })).status).toBe(404);
});
