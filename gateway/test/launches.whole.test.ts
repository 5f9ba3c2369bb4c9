/**
 * Real launches with real records: our own authorization server, its pages, code, PKCE and tokens, and every API
 * behind it.
 */
import type { Bundle, Condition, Observation, Resource } from 'fhir/r4.js';
import { decodeJwt } from 'jose';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { TokenEndpointResponse } from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { form, json, set } from '../smart/server/test/requests.ts';
import { SmartApp } from '../smart/server/test/smart-app.ts';
import { Browser, keyPair, REDIRECT } from '../smart/server/test/started.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';
import { describeWithSharedData, sharedDataPath, sharedFhirPatients } from './setup/shared-data.ts';

const SYSTEM = {
  Condition: 'http://terminology.hl7.org/CodeSystem/condition-category',
  Observation: 'http://terminology.hl7.org/CodeSystem/observation-category',
} as const;
type Granular = keyof typeof SYSTEM;
const TYPES = Object.keys(SYSTEM) as Granular[];

/**
 * Categories of the two types that each launch is granted. The records also have a category `vital-sign`, which is
 * another code.
 */
const LAUNCHES: Record<string, Record<Granular, string[]>> = {
  standalone: { Condition: ['problem-list-item'], Observation: ['laboratory'] },
  EHR: { Condition: ['encounter-diagnosis'], Observation: ['vital-signs', 'survey'] },
};
const granular = (launch: string) =>
  TYPES.flatMap((type) =>
    LAUNCHES[launch]![type].map((code) => `patient/${type}.rs?category=${SYSTEM[type]}|${code}`),
  );

/** Synthea gives conditions no category: here they get, in turn, one, the other, both and none. */
const CONDITION_CATEGORIES = [
  ['problem-list-item'],
  ['encounter-diagnosis'],
  ['problem-list-item', 'encounter-diagnosis'],
  [],
];
type Categorized = Condition | Observation;
const CODES = [...new Set([...CONDITION_CATEGORIES, ['laboratory', 'vital-signs', 'survey', 'exam']].flat())];

function categorized(bundle: Bundle): Bundle {
  const resources = bundle.entry!.map(({ resource }) => resource);
  const conditions = resources.filter((one): one is Condition => one?.resourceType === 'Condition');
  for (const [index, condition] of conditions.entries()) {
    const codes = CONDITION_CATEGORIES[index % CONDITION_CATEGORIES.length]!;
    if (codes.length === 0) continue;
    condition.category = codes.map((code) => ({ coding: [{ system: SYSTEM.Condition, code }] }));
  }
  return bundle;
}

describeWithSharedData('SM-5, SM-8 launches with records of Synthea', () => {
  const [mine, other] = ['Beatrice', 'Asa'].map((name) =>
    sharedFhirPatients().find((one) => one.name.startsWith(name))!,
  );
  const me = mine!.patientId;
  let folder: string;
  let gateway: TestGateway;
  let server: ConstructorParameters<typeof SmartApp>[0];
  let records: Resource[];
  let others: Resource[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'launches-'));
    const data = { images: join(folder, 'images'), patients: join(folder, 'records') };
    await Promise.all([mkdir(data.images), mkdir(data.patients)]);
    [records, others] = (await Promise.all(
      [mine!, other!].map(async ({ file }) => {
        const bundle = categorized(
          JSON.parse(await readFile(sharedDataPath('fhir', file), 'utf8')) as Bundle,
        );
        await writeFile(join(data.patients, basename(file)), JSON.stringify(bundle));
        return bundle.entry!.map(({ resource }) => resource!);
      }),
    )) as [Resource[], Resource[]];
    const port = await freePort();
    const keys = { ES384: await keyPair('ES384'), RS384: await keyPair('RS384') };
    const clients = [
      { client_id: 'public-app', redirect_uris: [REDIRECT] },
      { client_id: 'confidential-es', redirect_uris: [REDIRECT], jwks: { keys: [keys.ES384.jwk] } },
    ];
    gateway = await buildTestGateway(
      () => ({
        synthea: {
          authorization: { type: 'embedded', clients },
          clinical: { type: 'store', path: data.patients },
          images: { type: 'folder', path: data.images, lookup: 'studies-by-mrn' },
        },
      }),
      data,
      undefined,
      { port },
    );
    const base = `${gateway.baseUrl}/synthea`;
    server = { base, issuer: `${base}/oauth`, keys };
  }, 60_000);
  afterAll(async () => {
    await gateway?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const idsOf = (type: string, matches: (one: Categorized) => boolean = () => true) =>
    records
      .filter((one) => one.resourceType === type && matches(one as Categorized))
      .map(({ id }) => id!)
      .sort();
  const within = (codes: readonly string[]) => (one: Categorized) =>
    (one.category ?? []).some(({ coding = [] }) => coding.some(({ code }) => codes.includes(code!)));

  const get = (token: string, path: string) =>
    fetch(`${server.base}/fhir/${path}`, { headers: { authorization: `Bearer ${token}` } });
  const bundleIds = async (response: Response) =>
    (((await response.json()) as Bundle).entry ?? []).map(({ resource }) => resource!.id!).sort();
  /** Collects the ids of all pages of a search. */
  async function found(token: string, path: string): Promise<string[]> {
    const ids: string[] = [];
    let next: string | undefined = path;
    while (next !== undefined) {
      const { entry = [], link = [] } = (await (await get(token, next)).json()) as Bundle;
      ids.push(...entry.map(({ resource }) => resource!.id!));
      next = link.find(({ relation }) => relation === 'next')?.url.split('/fhir/')[1];
    }
    return ids.sort();
  }
  async function graphql(token: string, query: string) {
    const response = await fetch(`${server.base}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    return (await response.json()) as { data: Record<string, { id: string }[] | null> };
  }
  const signIn = { account: `Patient/${me}` };

  describe.each(Object.keys(LAUNCHES))('the %s launch', (launch) => {
    let app: SmartApp;
    let tokens: TokenEndpointResponse;
    let encounter: string;
    let asked: string[];

    beforeAll(async () => {
      encounter = idsOf('Encounter')[0]!;
      app = new SmartApp(server, launch === 'EHR' ? 'confidential-es' : 'public-app');
      const context = launch === 'EHR' ? 'launch' : 'launch/patient';
      asked = ['openid', 'fhirUser', context, 'patient/Patient.rs', ...granular(launch)];
      const begun = launch === 'EHR' && {
        parameters: { launch: await beginLaunch({ patient: me, encounter }) },
      };
      tokens = await app.tokens({ ...signIn, scope: asked.join(' '), ...begun });
    });

    async function beginLaunch(context: object): Promise<string> {
      const answer = await fetch(`${server.issuer}/launch`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(context),
      });
      return ((await answer.json()) as { launch: string }).launch;
    }

    test('grants the requested scopes, for the patient in context', () => {
      expect(set(tokens.scope)).toEqual(new Set(asked));
      expect(tokens['patient']).toBe(me);
      expect(tokens['encounter']).toBe(launch === 'EHR' ? encounter : undefined);
      expect(tokens.token_type).toBe('bearer');
      // The app requested neither online_access nor offline_access.
      expect(tokens.refresh_token).toBeUndefined();
    });

    test('introspection agrees with the token response', async () => {
      const said = await app.introspect(tokens.access_token);
      const claims = decodeJwt(tokens.id_token!);
      expect(set(said['scope'])).toEqual(set(tokens.scope));
      expect(said).toMatchObject({
        active: true,
        client_id: app.id,
        patient: tokens['patient'],
        iss: claims.iss,
        sub: claims.sub,
        fhirUser: claims['fhirUser'],
      });
      expect(said['encounter']).toBe(tokens['encounter']);
      expect(claims['fhirUser']).toBe(`${server.base}/fhir/Patient/${me}`);
      expect(claims.aud).toBe(app.id);
      const left = Number(said['exp']) - Date.now() / 1000;
      expect(Math.abs(left - tokens.expires_in!)).toBeLessThan(30);
    });

    test('a resource in context can be read when a scope covers it', async () => {
      expect((await get(tokens.access_token, `Patient/${me}`)).status).toBe(200);
      expect((await get(tokens.access_token, `Encounter/${encounter}`)).status).toBe(403);
    });

    describe.each(TYPES)('%s', (type) => {
      const codes = LAUNCHES[launch]![type];
      const granted = () => idsOf(type, within(codes));
      const denied = () => idsOf(type, (one) => !within(codes)(one));

      test('grants some and denies some', () => {
        expect(granted().length).toBeGreaterThan(1);
        expect(denied().length).toBeGreaterThan(1);
      });

      test('searches find exactly the granted ones', async () => {
        const token = tokens.access_token;
        const queries = ['', `?patient=${me}`, `?subject=Patient/${me}&_count=7`];
        for (const query of queries) {
          expect([query, await found(token, `${type}${query}`)]).toEqual([query, granted()]);
        }
        const posted = await fetch(`${server.base}/fhir/${type}/_search`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}` },
          body: new URLSearchParams({ patient: me, _count: '1000' }),
        });
        expect(await bundleIds(posted)).toEqual(granted());
        for (const code of CODES) {
          const wanted = idsOf(type, (one) => within([code])(one) && within(codes)(one));
          expect([code, await found(token, `${type}?category=${SYSTEM[type]}|${code}`)]).toEqual([
            code,
            wanted,
          ]);
        }
      });

      test('reads: 200 for the granted ones, for others the same 404 as for one that does not exist', async () => {
        const token = tokens.access_token;
        for (const id of granted()) expect((await get(token, `${type}/${id}`)).status).toBe(200);
        const unknown = await (await get(token, `${type}/unknown`)).text();
        const foreign = others.filter(({ resourceType }) => resourceType === type).map(({ id }) => id!);
        expect(foreign.length).toBeGreaterThan(1);
        for (const id of [...denied(), ...foreign]) {
          const answer = await get(token, `${type}/${id}`);
          expect([id, answer.status, await answer.text()]).toEqual([id, 404, unknown]);
        }
      });

      test('GraphQL: list and reads', async () => {
        const { data } = await graphql(tokens.access_token, `{ list: ${type}List(_count: 1000) { id } }`);
        expect(data['list']!.map(({ id }) => id).sort()).toEqual(granted());
        const some = [granted()[0]!, denied()[0]!];
        const reads = some.map((id, index) => `r${index}: ${type}(id: "${id}") { id }`).join(' ');
        expect((await graphql(tokens.access_token, `{ ${reads} }`)).data).toEqual({
          r0: { id: some[0] },
          r1: null,
        });
      });
    });

    test('IA-5 a revoked token is refused at once, by every API (RFC 7009)', async () => {
      const token = tokens.access_token;
      expect((await app.revoke(token)).status).toBe(200);
      for (const path of ['fhir/Condition', `fhir/Patient/${me}`, 'dicomweb/studies', 'graphql?query={x}']) {
        const headers = { authorization: `Bearer ${token}`, 'apollo-require-preflight': '1' };
        const answer = await fetch(`${server.base}/${path}`, { headers });
        expect([path, answer.status]).toEqual([path, 401]);
        expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"');
        expect(await answer.text()).not.toContain(me);
      }
      expect(await app.introspect(token)).toEqual({ active: false });
    });
  });

  test('v1 scopes: .read allows to read and to search all of the type', async () => {
    const { access_token: token, scope } = await new SmartApp(server).tokens({
      ...signIn,
      scope: 'launch/patient patient/Condition.read patient/Observation.write',
    });
    expect(set(scope)).toContain('patient/Condition.read');
    expect(await found(token, 'Condition')).toEqual(idsOf('Condition'));
    expect((await get(token, `Condition/${idsOf('Condition')[0]!}`)).status).toBe(200);
    expect((await get(token, 'Observation')).status).toBe(403);
  });

  test('a refresh with a narrower scope finds less; the next one may have the whole scope again', async () => {
    const app = new SmartApp(server);
    const [condition, observation] = ['Condition', 'Observation'].map((type) => `patient/${type}.rs`);
    const first = await app.tokens({
      ...signIn,
      scope: `launch/patient offline_access ${condition} ${observation}`,
    });
    const again = (refresh_token: unknown, scope?: string) =>
      json(
        form(server, '/token', {
          grant_type: 'refresh_token',
          client_id: app.id,
          refresh_token: String(refresh_token),
          ...(scope && { scope }),
        }),
      );
    const narrow = await again(first.refresh_token, condition);
    const narrowed = String(narrow['access_token']);
    expect(narrow).toMatchObject({ scope: condition, patient: me });
    expect((await app.introspect(narrowed))['scope']).toBe(condition);
    expect(await found(narrowed, 'Condition')).toEqual(idsOf('Condition'));
    expect((await get(narrowed, 'Observation')).status).toBe(403);
    const whole = await again(narrow['refresh_token']);
    expect(set(whole['scope'])).toEqual(set(first.scope));
    expect((await get(String(whole['access_token']), 'Observation')).status).toBe(200);
  });

  test('online_access ends with the session of the browser, offline_access does not', async () => {
    const browser = new Browser(server.issuer);
    const sign = (kind: string) => {
      const scope = `launch/patient ${kind} patient/Condition.rs`;
      return new SmartApp(server).tokens({ ...signIn, scope, browser });
    };
    const online = await sign('online_access');
    const offline = await sign('offline_access');
    const next = { account: `Patient/${other!.patientId}`, scope: 'launch/patient patient/*.rs', browser };
    expect(await new SmartApp(server).tokens(next)).toMatchObject({ patient: other!.patientId });
    expect((await get(online.access_token, 'Condition')).status).toBe(401);
    expect((await new SmartApp(server).refresh(online.refresh_token!)).status).toBe(400);
    expect((await get(offline.access_token, 'Condition')).status).toBe(200);
    expect((await new SmartApp(server).refresh(offline.refresh_token!)).status).toBe(200);
  });
});
