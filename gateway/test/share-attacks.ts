/** Attacks on a link: requests with its capability for data that the link does not share. */
import { expect } from 'vitest';
import { GEORGE, MARIA, type ShareGateway } from './share-gateway.ts';

/** A study that was shared, and the studies that an attacker asks for by the same link. */
export interface Reach {
  /** Path of the DICOMweb base of the link. */
  address: string;
  study: string;
  /** Studies of another patient. */
  others: readonly string[];
}

const BELOW = [
  '',
  '/metadata',
  '/series',
  '/instances',
  '/rendered',
  '/thumbnail',
  '/bulkdata',
  '/pixeldata',
];
const FHIR = [
  'Patient',
  `Patient/${MARIA}`,
  `Patient/${GEORGE}`,
  `Patient/${MARIA}/$everything`,
  'ImagingStudy',
  `ImagingStudy?patient=${MARIA}`,
  'Observation',
  'Endpoint/dicomweb',
  '$graphql',
  'metadata',
];

/** Lists paths without an end. Each names data that exist. */
function* paths({ address, study, others }: Reach): Generator<string> {
  const base = address.replace('/dicom-web', '');
  const foreign = address.replace('/clinic/', '/other/');
  for (let round = 0; ; round++) {
    for (const other of others) {
      for (const below of BELOW) {
        const extra = round === 0 ? '' : `?round=${round}`;
        yield `${address}/studies/${other}${below}${extra}`;
        yield `${address}/studies/${study}/../${other}${below}${extra}`;
        yield `${address}/studies/${study}/series/../../${other}${below}${extra}`;
        yield `${address}/studies/${study}%2f..%2f${other}${below}${extra}`;
        yield `${foreign}/studies/${study}${below}${extra}`;
      }
      yield `${address}/studies?StudyInstanceUID=${other}`;
      yield `${address}/series?StudyInstanceUID=${other}`;
      yield `${address}/instances`;
      yield `${base}/fhir/ImagingStudy/${other}`;
      yield `${base}/fhir/ImagingStudy/${study}/../${other}`;
    }
    for (const path of FHIR) {
      yield `${base}/fhir/${path}`;
      yield `${base}/fhir/ImagingStudy/${study}/../../${path}`;
      yield `${base}/../../fhir/${path}`;
    }
    yield `${base}/graphql`;
    yield `${base}/dicomweb/studies/${study}`;
    yield `${base}/share`;
    yield `${base}`;
    yield `${base}/`;
    yield `${address.replace('/shared/', '/wado/').replace('/dicom-web', '')}/studies/${study}`;
  }
}

/** Sends the attacks. Expects that each is refused and recorded. @param most number of requests */
export async function attacks(gateway: ShareGateway, reach: Reach, most: number): Promise<void> {
  const all = paths(reach);
  gateway.events.length = 0;
  let sent = 0;
  while (sent < most) {
    const some = Array.from({ length: Math.min(20, most - sent) }, () => all.next().value as string);
    const answers = await Promise.all(some.map(async (path) => ({ path, ...(await gateway.ask(path)) })));
    // A link's capability is none of a token (`/wado/`), which is said by 403.
    for (const { path, status } of answers)
      expect({ path, status }).toEqual({ path, status: path.includes('/wado/') ? 403 : 404 });
    sent += some.length;
  }
  const outcomes = gateway.events.map(({ outcome }) => outcome.kind);
  expect(outcomes.filter((kind) => kind !== 'denied')).toEqual([]);
  expect(outcomes).toHaveLength(most);
}
