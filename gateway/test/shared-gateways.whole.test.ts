/** Two whole gateways that share a real Redis: what ends at one ends at the other, and what one has asked both have. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSharedGateways, STUDIES, type SharedGateway, type SharedGateways } from './shared-gateways.ts';
import { patientRedis } from './setup/redis.ts';

describe.each([
  ['each with its subgraphs in one process', false],
  ['each with its subgraphs as servers of their own', true],
])('two gateways, %s', (_what, split) => {
  let both: SharedGateways;
  let a: SharedGateway;
  let b: SharedGateway;
  beforeAll(async () => {
    both = await startSharedGateways(2, { split, open: (url) => patientRedis({ url }) });
    [a, b] = both.gateways as [SharedGateway, SharedGateway];
  }, 120_000);
  afterAll(() => both.close());

  const ways = ['/fhir/ImagingStudy', '/dicomweb/studies', `/dicomweb/studies/${STUDIES[0]}/metadata`];
  const statuses = (gateway: SharedGateway, tenant: string, token: string) =>
    Promise.all(ways.map(async (path) => (await gateway.ask(`/${tenant}${path}`, { token })).status));

  test('RFC 7009 a token that is revoked at one is refused by the other at once, by every API', async () => {
    const token = await both.ownToken(a);
    expect(await statuses(b, 'own', token)).toEqual([200, 200, 200]);
    const form = { ...both.clientForm, token };
    expect((await a.ask('/own/oauth/revoke', { form })).status).toBe(200);
    expect(await statuses(b, 'own', token)).toEqual([401, 401, 401]);
    expect(await statuses(a, 'own', token)).toEqual([401, 401, 401]);
  });

  test('IA-33 a link that is used at one is refused by the other, also at the same time', async () => {
    const token = both.give('links');
    const path = `studies/${STUDIES[0]}`;
    const link = async (gateway: SharedGateway) => {
      const made = await gateway.ask('/smart/wado/links', { token, json: { path } });
      expect(made.status).toBe(201);
      return new URL(String(made.json['url'])).pathname;
    };
    const one = await link(a);
    expect([(await b.ask(one)).status, (await a.ask(one)).status, (await b.ask(one)).status]).toEqual([
      200, 403, 403,
    ]);
    const two = await link(b);
    const used = await Promise.all([a, b, a, b].map(async (gateway) => (await gateway.ask(two)).status));
    expect(used.sort()).toEqual([200, 403, 403, 403]);
  });

  test('SM-9, IA-29 equal requests at the same time cost one question to the EHR, and one of each kind to the archive', async () => {
    const token = both.give('same-time');
    const { archive, ehr } = both;
    // The backend token, and the capabilities of the archive.
    await Promise.all(
      [a, b].map((one) => one.ask('/smart/dicomweb/studies?limit=1', { token: both.give('first') })),
    );
    ehr.calls['introspect'] = 0;
    archive.asked.length = 0;
    const query = '/smart/dicomweb/studies?StudyDate=20240101';
    const asked = await Promise.all([a, b, a, b].map((gateway) => gateway.ask(query, { token })));
    expect(asked.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(new Set(asked.map(({ text }) => text)).size).toBe(1);
    expect(ehr.calls['introspect']).toBe(1);
    expect(archive.asked).toHaveLength(new Set(archive.asked).size);
  });

  test('IA-29 metadata and owner of a study that one has read are not asked again by the other', async () => {
    const token = both.give('study');
    const path = `/smart/dicomweb/studies/${STUDIES[1]}/metadata`;
    const first = await a.ask(path, { token });
    expect(first.json).toHaveLength(3);
    both.archive.asked.length = 0;
    const second = await b.ask(path, { token });
    expect([second.status, second.text]).toEqual([200, first.text]);
    expect(both.archive.asked).toEqual([]);
  });

  test('IA-13 both say the same of when a study was first seen', async () => {
    const token = both.give('seen');
    const seen = async (gateway: SharedGateway) =>
      (await gateway.ask(`/smart/fhir/ImagingStudy/${STUDIES[0]}`, { token })).json['meta'];
    expect(await seen(b)).toEqual(await seen(a));
  });

  test('rates are counted together', async () => {
    const answers = [];
    for (const gateway of [a, b, a, b]) answers.push((await gateway.ask('/counted/dicomweb/studies')).status);
    expect(answers).toEqual([200, 200, 429, 429]);
  });
});
