import { DICOM_JSON, rowsOf, TAG, valueOf, valuesOf } from '../dicom-json.ts';
import { describe, expectAnswer, expectNone, expectRows, expectSame, expectStatus } from '../expectations.ts';
import type { Json } from '../json.ts';
import { Deviation, NotApplicable } from '../outcome.ts';
import type { Check } from '../requirement.ts';
import { ABSENT_UID, type Subject } from '../subject.ts';

/** Searches, and returns the rows; 204 is a search without a match (PS3.18 §10.6.3.1). */
async function rows(subject: Subject, url: string): Promise<Json[]> {
  const answer = await subject.get(url, { accept: DICOM_JSON });
  return answer.status === 204 ? [] : expectRows(answer);
}

/** Searches, PS3.18 §10.6. */
export const QIDO_RS: readonly Check[] = [
  {
    id: 'DW-1',
    name: 'levels',
    level: 'MUST',
    sentence: 'Studies, series and instances can be searched for, and the rows are DICOM JSON.',
    expected: '200 application/dicom+json with the study, its series and its instances',
    async run(subject) {
      const { base, study, url } = await subject.searchable();
      const objects = await subject.metadata();
      const studies = await rows(subject, `${base}/studies?StudyInstanceUID=${study}`);
      expectSame(valuesOf(studies, TAG.study), [study], 'studies');
      const series = [...new Set(valuesOf(objects, TAG.series))];
      expectSame(valuesOf(await rows(subject, `${url}/series`), TAG.series), series, 'series');
      const instances = valuesOf(await rows(subject, `${url}/instances`), TAG.sopInstance);
      expectSame(instances, valuesOf(objects, TAG.sopInstance), 'instances');
      return `1 study, ${series.length} series, ${instances.length} instances`;
    },
  },
  {
    id: 'DW-2',
    name: 'matching',
    level: 'MUST',
    sentence: 'A study is matched by keyword and by tag alike; a UID that does not exist matches nothing.',
    expected: 'the same study, and no study',
    async run(subject) {
      const { base, study } = await subject.searchable();
      const found = async (query: string) =>
        valuesOf(await rows(subject, `${base}/studies?${query}`), TAG.study);
      expectSame(await found(`StudyInstanceUID=${study}`), [study], 'by keyword');
      expectSame(await found(`0020000D=${study}`), [study], 'by tag');
      expectSame(await found(`StudyInstanceUID=${ABSENT_UID}`), [], 'a UID that does not exist');
      return study;
    },
  },
  {
    id: 'DW-2',
    name: 'limit-and-offset',
    level: 'MUST',
    sentence: 'The rows of a search can be had in pages.',
    expected: 'one row with limit=1, and another with offset=1',
    async run(subject) {
      const { url } = await subject.searchable();
      const all = await rows(subject, `${url}/instances`);
      if (all.length < 2) throw new NotApplicable('the study has one object; name another with --study');
      const pages = [
        await rows(subject, `${url}/instances?limit=1`),
        await rows(subject, `${url}/instances?limit=1&offset=1`),
      ];
      const uids = new Set(pages.flatMap((page) => valuesOf(page, TAG.sopInstance)));
      if (pages.some(({ length }) => length !== 1) || uids.size !== 2)
        throw new Deviation(
          `${pages.map(({ length }) => length).join(' and ')} rows, ${uids.size} different`,
        );
      return 'two different rows';
    },
  },
  {
    id: 'DW-1',
    name: 'not-acceptable',
    level: 'SHOULD',
    sentence: 'A search in a media type that the server cannot produce is refused with 406.',
    expected: '406',
    async run(subject) {
      const { base, study } = await subject.searchable();
      const url = `${base}/studies?StudyInstanceUID=${study}`;
      expectStatus(await subject.get(url, { accept: 'application/x-conformance' }), 406);
      return '406';
    },
  },
  {
    id: 'DW-3',
    name: 'unknown-key-not-wider',
    level: 'MUST',
    sentence: 'A search key that the server does not know never widens a search beyond the token.',
    expected: 'an error, or no other study than without the key',
    needs: ['patientGrant'],
    async run(subject) {
      const { base } = await subject.searchable();
      const { otherStudy } = subject.options;
      const answer = await subject.get(`${base}/studies?NoSuchAttribute=1`, { accept: DICOM_JSON });
      if (answer.status >= 400) return describe(answer);
      const granted = await grantedUids(subject);
      const others = valuesOf(rowsOf(answer), TAG.study).filter(
        (uid) => uid === otherStudy || granted?.has(uid) === false,
      );
      expectNone(others.map((uid) => `study ${uid} is found`).slice(0, 3));
      return `${rowsOf(answer).length} studies`;
    },
  },
  {
    id: 'DW-3',
    name: 'unknown-key-told',
    level: 'SHOULD',
    sentence:
      'A search key that the server does not know is refused, or ignored with a warning (PS3.18 §8.3.4).',
    expected: '400, or 200 with Warning: 299',
    async run(subject) {
      const { base, study } = await subject.searchable();
      const url = `${base}/studies?StudyInstanceUID=${study}&NoSuchAttribute=1`;
      const answer = await subject.get(url, { accept: DICOM_JSON });
      if (answer.status === 400) return '400';
      expectAnswer(answer, DICOM_JSON);
      const warning = answer.headers.get('warning') ?? 'no Warning';
      if (!warning.startsWith('299')) throw new Deviation(`200 with ${warning}`);
      return warning;
    },
  },
  {
    id: 'DW-4',
    name: 'retrieve-url',
    level: 'MUST',
    sentence: 'The address in a row leads to the public address of the server, never to another host.',
    expected: 'RetrieveURL (0008,1190) below the DICOMweb base',
    async run(subject) {
      const { base, study, url } = await subject.searchable();
      const found = [
        ...(await rows(subject, `${base}/studies?StudyInstanceUID=${study}`)),
        ...(await rows(subject, `${url}/series`)),
      ].map((row) => String(valueOf(row, TAG.retrieveUrl) ?? 'missing'));
      expectNone(
        found.filter((one) => !one.startsWith(`${base}/studies/`)).map((one) => `RetrieveURL ${one}`),
      );
      return `${found.length} addresses`;
    },
  },
];

/** Returns the studies that the search by FHIR finds. @throws NotApplicable if nothing says what the token covers */
async function grantedUids(subject: Subject): Promise<Set<string> | undefined> {
  const { base, patient, otherStudy } = subject.options;
  if (base !== undefined && patient !== undefined) return subject.grantedUids();
  if (otherStudy === undefined)
    throw new NotApplicable(
      'give --base and --patient, or --other-study, so that other studies are recognized',
    );
  return undefined;
}
