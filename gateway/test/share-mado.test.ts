/** IA-47 The manifest inside a link: that of `$mado`, with the addresses of the link, and true to the images. */
import type { Bundle, Endpoint, FhirResource, ImagingStudy } from 'fhir/r4.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { faultsOf } from '../../subgraphs/imaging/test/mado-profiles.ts';
import {
  decrypt,
  inDays,
  MARIA,
  PASSCODE,
  readLink,
  resources,
  startShareGateway,
  type SharedLink,
  type ShareGateway,
} from './share-gateway.ts';

let gateway: ShareGateway;
beforeAll(async () => {
  gateway = await startShareGateway();
  gateway.change('clinic', { organization: { name: 'Demonstration hospital' } });
}, 120_000);
afterAll(() => gateway.close());

/** Opens a link as a receiver does. */
async function opened({ link }: SharedLink): Promise<Bundle<FhirResource>[]> {
  const { path, key } = readLink(link);
  const { json } = await gateway.ask(path, {
    json: { recipient: 'Dr Weiss', passcode: PASSCODE, embeddedLengthMax: 1e7 },
  });
  const files = json['files'] as { embedded: string }[];
  return Promise.all(files.map(async ({ embedded }) => (await decrypt(embedded, key)).bundle));
}

const ofType = <Type extends FhirResource>(bundle: Bundle<FhirResource>, type: Type['resourceType']) =>
  resources([bundle]).filter((one): one is Type => one.resourceType === type);
const listed = ({ series = [] }: ImagingStudy) =>
  series.flatMap(({ uid, instance = [] }) => instance.map((one) => `${uid} ${one.uid}`)).sort();
/** Leaves out what is new in each document, its number, times and references, and the addresses. */
function comparable(bundle: Bundle<FhirResource>): unknown[] {
  const NEW: Record<string, object> = {
    Endpoint: { address: '', extension: [] },
    Composition: { identifier: undefined },
  };
  return resources([bundle]).map(
    (one) =>
      JSON.parse(
        JSON.stringify({ ...one, ...NEW[one.resourceType] }, (name, value) =>
          ['date', 'reference', 'div'].includes(name) ? undefined : (value as unknown),
        ),
      ) as unknown,
  );
}

test('each study in a link is the manifest of its images', async () => {
  const token = await gateway.token(`Patient/${MARIA}`);
  const studies = await gateway.studiesOf(token);
  let manifests = 0;
  for (const study of studies) {
    const wanted = { studies: [study], expires: inDays(5), uses: 1, passcode: PASSCODE };
    const made = await gateway.ask('/clinic/share', { token, json: wanted });
    const direct = await gateway.ask(`/clinic/fhir/ImagingStudy/${study}/$mado`, { token });
    // A study that only the record has cannot be retrieved.
    if (direct.status === 404) continue;
    expect([study, made.status, direct.status]).toEqual([study, 201, 200]);
    manifests += 1;
    const [snapshot, manifest, ...more] = await opened(made.json as unknown as SharedLink);
    expect([snapshot!.type, manifest!.type, more]).toEqual(['collection', 'document', []]);
    // The profile wants TLS, which this gateway leaves to a proxy.
    const published = JSON.stringify(manifest).replaceAll(gateway.baseUrl, 'https://gateway.example');
    expect(faultsOf(JSON.parse(published) as Bundle)).toEqual([]);
    expect(comparable(manifest!)).toEqual(comparable(direct.json as unknown as Bundle<FhirResource>));

    const endpoints = ofType<Endpoint>(manifest!, 'Endpoint');
    const [address, ...others] = new Set(endpoints.map((one) => one.address));
    expect(others).toEqual([]);
    expect(address).toMatch(new RegExp(`^${gateway.baseUrl}/clinic/shared/[\\w-]{43}/dicom-web$`));
    const metadata = await gateway.ask(`${new URL(address!).pathname}/studies/${study}/metadata`);
    const objects = metadata.json as unknown as Record<string, { Value: [string] }>[];
    const ofImages = objects.map((one) => `${one['0020000E']!.Value[0]} ${one['00080018']!.Value[0]}`);
    const [imagingStudy, ...none] = ofType<ImagingStudy>(manifest!, 'ImagingStudy');
    expect(none).toEqual([]);
    expect(listed(imagingStudy!)).toEqual(ofImages.sort());
    expect(imagingStudy).toMatchObject({
      numberOfInstances: objects.length,
      numberOfSeries: new Set(objects.map((one) => one['0020000E']!.Value[0])).size,
    });
  }
  expect(manifests).toBeGreaterThan(1);
}, 120_000);
