import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEMO_IMAGES } from '../../gateway/test/setup/demo-images.ts';
import { startOrthanc, type Orthanc } from '../../gateway/test/setup/orthanc.ts';
import type { Options } from '../options.ts';
import type { Result } from '../requirement.ts';
import { run } from '../run.ts';

/** Orthanc by itself, without users: an archive that has DICOMweb, and no SMART access. */
let orthanc: Orthanc;
beforeAll(async () => {
  const files = await readdir(DEMO_IMAGES, { recursive: true });
  orthanc = await startOrthanc({
    configuration: { AuthenticationEnabled: false },
    files: files.filter((name) => name.endsWith('.dcm')).map((name) => join(DEMO_IMAGES, name)),
  });
});
afterAll(() => orthanc?.stop());

const OPTIONS: Options = { grant: 'patient', headers: {}, only: [], timeout: 20_000 };
const idsOf = (results: readonly Result[], ...wanted: Result['status'][]) =>
  results.filter(({ status }) => wanted.includes(status)).map(({ id, name }) => `${id}/${name}`);

test('its DICOMweb is judged without FHIR: retrieval conforms, and nobody is asked for a token', async () => {
  const search = await fetch(`${orthanc.dicomWebUrl}/studies?limit=1`);
  const [row] = (await search.json()) as { '0020000D': { Value: [string] } }[];
  const otherStudy = row!['0020000D'].Value[0];
  const { results, conforms } = await run({ ...OPTIONS, dicomweb: orthanc.dicomWebUrl, otherStudy });
  expect(conforms).toBe(false);
  expect(idsOf(results, 'failed', 'blocked')).toEqual([
    'IA-23/retrieval-without-token',
    'IA-23/retrieval-with-bad-token',
    'IA-7/foreign-study',
    // It decodes `%2f..%2f`, and answers with the other study.
    'IA-23/appended-path',
    'DW-3/unknown-key-not-wider',
  ]);
  expect(idsOf(results, 'warning')).toEqual([
    'DW-1/not-acceptable',
    'DW-3/unknown-key-told',
    'DW-5/single-part',
    'DW-11/not-acceptable',
    'DW-12/bad-uid',
    'DW-14/private',
    'DW-14/vary',
    'DW-6/entity-tag',
    'DW-10/range',
    'DW-7/frame-not-found',
  ]);
  expect(idsOf(results, 'passed')).toEqual([
    'DW-1/levels',
    'DW-2/matching',
    'DW-2/limit-and-offset',
    'DW-4/retrieve-url',
    'IA-21/whole-study',
    'DW-13/closed-multipart',
    'DW-5/part-types',
    'DW-5/series-and-instance',
    'DW-5/default-transfer-syntax',
    'DW-11/accept-forms',
    'DW-12/absent-study',
    'DW-14/not-public',
    'DW-6/levels',
    'DW-6/values',
    'DW-4/bulk-data-address',
    'DW-6/bulk-data',
    'DW-7/frame',
    'DW-7/frame-out-of-range',
    'DW-8/rendered-jpeg',
    'DW-8/rendered-png',
  ]);
  const skipped = results.filter(({ status }) => status === 'skipped');
  expect(new Set(skipped.map(({ found }) => found.replace(/:.*/, '')))).toEqual(
    new Set(['give --base URL', 'not offered']),
  );
});

test('as a FHIR server it meets no MUST of discovery, authorization and search', async () => {
  const { results } = await run({
    ...OPTIONS,
    base: `${orthanc.url}/fhir`,
    dicomweb: orthanc.dicomWebUrl,
    patient: 'p1',
    only: ['SM', 'IA'],
  });
  expect(idsOf(results, 'failed')).toEqual([
    'SM-1/configuration-without-token',
    'SM-1/metadata-without-token',
    'IA-5/search-without-token',
    'IA-5/search-with-bad-token',
    'IA-5/search-with-unsigned-token',
    'IA-23/retrieval-without-token',
    'IA-23/retrieval-with-bad-token',
    'SM-12/challenge-without-token',
    'SM-12/challenge-of-bad-token',
    'IA-13/by-patient',
    'IA-18/endpoint-resolves',
    'IA-20/bundle',
    'IA-20/error',
  ]);
  expect(idsOf(results, 'passed')).toEqual(['IA-21/whole-study']);
  for (const { status, level, found } of results)
    if (status === 'blocked')
      expect([level, found]).toEqual(['MUST', expect.stringMatching(/ answers 404 /)]);
});
