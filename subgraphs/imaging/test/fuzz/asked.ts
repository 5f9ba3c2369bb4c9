import type { LightMyRequestResponse } from 'fastify';
import { patient, testAccess, testSubgraph, testTenant, type TestSubgraph } from '../subgraph.ts';
import type { Random } from '../../../../gateway/test/setup/random.ts';
import { hold } from './target.ts';

/** Invalid requests to the DICOMweb API, and checks of their answers. */

export const STUDY = '1.2.3';
const INSTANCE = `/studies/${STUDY}/series/${STUDY}.1/instances/${STUDY}.1.1`;

/** Serves a tenant with these images, which belong to the patient `MRN`. */
export async function served(images: object): Promise<TestSubgraph> {
  const own = testAccess([patient('own', 'MRN')], 'patient/*.rs');
  const subgraph = await testSubgraph([testTenant(images)], { own });
  // The cause of an internal error is only in the log.
  subgraph.app.log.error = ({ err }: { err?: unknown }) => void (cause = err);
  return subgraph;
}

let cause: unknown;

const PATHS = [
  '/studies',
  '/series',
  '/instances',
  `/studies/${STUDY}/series`,
  `/studies/${STUDY}/instances`,
  `/studies/${STUDY}`,
  `/studies/${STUDY}/metadata`,
  `/studies/${STUDY}/rendered`,
  INSTANCE,
  ...['metadata', 'rendered', 'thumbnail', 'frames/1', 'frames/2', 'frames/1/rendered'].map(
    (s) => `${INSTANCE}/${s}`,
  ),
  ...['bulkdata/7FE00010', 'bulkdata/00091002', 'bulkdata/00081115/0/00091002'].map(
    (s) => `${INSTANCE}/${s}`,
  ),
];
const KEYS = [
  'PatientID',
  'StudyDate',
  'StudyTime',
  '00080061',
  'ModalitiesInStudy',
  'limit',
  'offset',
  'fuzzymatching',
  'includefield',
  'PatientName',
  'window',
  'viewport',
  'quality',
  'annotation',
  'accept',
  'StudyInstanceUID',
];
const VALUES = [
  '',
  '*',
  '?',
  '%',
  '%00',
  '%ff',
  '20240101-',
  '-',
  '20249999',
  '1,2',
  'all',
  'a'.repeat(2000),
  '9e99',
  '-1',
  '1.2.3',
  '1.2.3\\4',
  '..',
  '%2e%2e%2f',
  '[',
  '\\',
  "'",
  '"',
  '0',
  '1e3,1',
  '9,9,9',
  'application/json',
  'true',
];
const ACCEPTS = [
  '*/*',
  '',
  ';',
  ',',
  'application/dicom+json',
  'multipart/related',
  'multipart/related; type="',
  'image/png',
  'image/*;q=0',
  'a/b;q=x',
  'application/dicom; transfer-syntax=*',
  'image/gif;q=1e9',
  'x'.repeat(3000),
  'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.4.80',
  'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1',
];
const ODD_UIDS = ['', '.', '..', '%2f', '0', '9'.repeat(65), 'x', '1.2.3%00', '..%2f..'];
const FRAMES = [
  '0',
  '-1',
  '1,',
  '1,1,1',
  '99999999999',
  '1.5',
  '%20',
  '1,2,3',
  Array(3000).fill(1).join(','),
];

/** Returns a path below `/dicomweb` and headers, both mostly valid. */
export function request(random: Random): { path: string; headers: Record<string, string> } {
  let path = random.of(PATHS);
  if (random.chance(0.1)) path = path.replace(`${STUDY}.1.1`, random.of(ODD_UIDS));
  if (random.chance(0.3)) path = path.replace(/frames\/\d/, `frames/${random.of(FRAMES)}`);
  if (random.chance(0.5)) {
    const pairs = Array.from(
      { length: 1 + random.below(4) },
      () => `${random.of(KEYS)}=${random.of(VALUES)}`,
    );
    path += `?${pairs.join('&')}`;
  }
  const headers: Record<string, string> = { authorization: 'Bearer own' };
  if (random.chance(0.5)) headers['accept'] = random.of(ACCEPTS);
  if (random.chance(0.2))
    headers['range'] = random.of(['bytes=0-', 'bytes=5-1', 'bytes=-0', 'bytes=9e9-', 'x']);
  if (random.chance(0.2)) headers['if-none-match'] = random.of(['*', '"x"', 'W/"', ',,,']);
  if (random.chance(0.2))
    headers['accept-encoding'] = random.of(['gzip', 'br;q=0', '*;q=x', 'identity;q=0, *;q=0']);
  return { path, headers };
}

/**
 * Checks that a response is an answer, or a refusal as JSON with its reason. It must not be 500 or contain internals.
 * @param asked the request, for the message
 */
export function holdAnswer({ statusCode, headers, body }: LightMyRequestResponse, asked: string): void {
  const summary = `${statusCode} ${body.slice(0, 200)} to ${asked}`;
  if (statusCode === 500) throw new Error(summary, { cause });
  hold(!/node_modules|\.ts:\d|\bat \S+ \(/.test(body.slice(0, 5000)), summary);
  if (statusCode === 304) return;
  const type = String(headers['content-type'] ?? '');
  if (statusCode >= 400) {
    const { error, message } = JSON.parse(body) as Record<string, unknown>;
    hold(typeof error === 'string' && typeof message === 'string' && message.length > 10, summary);
  } else if (/json/.test(type) && headers['content-encoding'] === undefined) JSON.parse(body);
}
