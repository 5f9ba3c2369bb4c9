/** IA-36 10,000 requests through a link, and links of two gateways that share Redis. */
import { afterAll, describe, expect, test } from 'vitest';
import type { Endpoint } from 'fhir/r4.js';
import { sharedFirstSeen } from '../../subgraphs/imaging/cache/shared-first-seen.ts';
import { sharedState } from '../state/shared-state.ts';
import { patientRedis, startRedis } from './setup/redis.ts';
import { attacks } from './share-attacks.ts';
import {
  decrypt,
  GEORGE,
  inDays,
  MARIA,
  PASSCODE,
  readLink,
  resources,
  startShareGateway,
  type SharedLink,
  type ShareGateway,
} from './share-gateway.ts';

const started: { close(): unknown }[] = [];
afterAll(async () => {
  for (const one of started.reverse()) await one.close();
});
const body = { recipient: 'Dr Weiss', passcode: PASSCODE, embeddedLengthMax: 1e7 };

/** Opens a link at a gateway. @returns path of the DICOMweb base */
async function addressOf(gateway: ShareGateway, link: string): Promise<string> {
  const { path, key } = readLink(link);
  const { status, json } = await gateway.ask(path, { json: body });
  expect(status).toBe(200);
  const files = json['files'] as { embedded: string }[];
  const bundles = await Promise.all(files.map(async (file) => (await decrypt(file.embedded, key)).bundle));
  const isWado = (one: object): one is Endpoint => (one as Endpoint).connectionType?.code === 'dicom-wado-rs';
  return new URL(resources(bundles).find(isWado)!.address).pathname;
}

test('10,000 requests with real ids of others reach nothing, and each is recorded', async () => {
  const gateway = await startShareGateway();
  started.push(gateway);
  const token = await gateway.token(`Patient/${MARIA}`);
  const [study = ''] = await gateway.studiesOf(token);
  const others = await gateway.studiesOf(await gateway.token(`Patient/${GEORGE}`));
  const wanted = { studies: [study], expires: inDays(5), uses: 5, passcode: PASSCODE };
  const { json } = await gateway.ask('/clinic/share', { token, json: wanted });
  const address = await addressOf(gateway, (json as unknown as SharedLink).link);
  await attacks(gateway, { address, study, others }, 10_000);
}, 600_000);

describe('two gateways over one Redis', () => {
  test('a link of one is opened, revoked and locked at the other, also after a restart', async () => {
    const redis = await startRedis();
    started.push({ close: () => redis.stop() });
    const secrets = ['the secret that both gateways have, long enough'];
    const start = async () => {
      const connection = patientRedis(redis);
      started.push(connection);
      const state = sharedState(connection, secrets, Date.now);
      const seen = sharedFirstSeen(connection.client, () => Date.now() / 1000);
      const gateway = await startShareGateway({ shared: { ...state, seen }, secrets, now: Date.now });
      started.push(gateway);
      return gateway;
    };
    const [first, second] = [await start(), await start()];
    const study = await someStudy(first);
    const wanted = { studies: [study], expires: inDays(5), uses: 5, passcode: PASSCODE };
    const make = async (gateway: ShareGateway) =>
      (await gateway.ask('/family/share', { json: wanted })).json as unknown as SharedLink;

    const made = await make(first);
    const address = await addressOf(second, made.link);
    expect((await first.ask(`${address}/studies/${study}/metadata`)).status).toBe(200);
    const third = await start();
    expect((await third.ask(`${address}/studies/${study}/metadata`)).status).toBe(200);
    await addressOf(third, made.link);
    const { path } = readLink(made.link);
    const { json } = await first.ask(path, { json: { ...body, embeddedLengthMax: 0 } });
    const [{ location }] = json['files'] as [{ location: string }];
    const ticket = new URL(location).pathname;
    const once = await Promise.all([first, second, third, first, second].map((one) => one.ask(ticket)));
    expect(once.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(((await second.ask('/family/share')).json as { links: object[] }).links).toMatchObject([
      { id: made.id, usesLeft: 2 },
    ]);
    expect((await second.ask(`/family/share/${made.id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await first.ask(`${address}/studies/${study}/metadata`)).status).toBe(404);
    expect((await third.ask(path, { json: body })).status).toBe(404);

    const locked = readLink((await make(second)).link).path;
    const wrong = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        [first, second, third][index % 3]!.ask(locked, { json: { ...body, passcode: `wrong ${index}` } }),
      ),
    );
    expect(wrong.filter(({ status }) => status === 401)).toHaveLength(5);
    expect((await third.ask(locked, { json: body })).status).toBe(404);
  }, 180_000);
});

/** Returns a study of the tenant without tokens. */
async function someStudy(gateway: ShareGateway): Promise<string> {
  const { json } = await gateway.ask('/family/fhir/ImagingStudy?_count=1');
  return (json as { entry: [{ resource: { id: string } }] }).entry[0].resource.id;
}
