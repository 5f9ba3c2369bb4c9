import { studiesOf, uidOf } from '../bundle.ts';
import type { Answer, PartsAnswer } from '../client.ts';
import { DICOM_JSON, TAG, valuesOf } from '../dicom-json.ts';
import { describe, expectAnswer, expectNone, expectSame, expectStatus, listed } from '../expectations.ts';
import { readFileMeta } from '../file-meta.ts';
import { objectsOf } from '../json.ts';
import { Deviation, NotApplicable } from '../outcome.ts';
import type { Check } from '../requirement.ts';
import { ABSENT_UID, ifAny, type Subject } from '../subject.ts';

/** Every object in the transfer syntax in which it is stored. */
const AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*';
const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';

const wholeStudy = async (subject: Subject) => subject.getParts((await subject.study()).url, AS_STORED);

/** Returns the sorted UIDs of the study's objects, by its metadata or else by its ImagingStudy. */
async function instancesOf(subject: Subject): Promise<string[] | undefined> {
  const metadata = await ifAny(subject.metadata());
  if (metadata) return valuesOf(metadata, TAG.sopInstance);
  const { study: uid } = await subject.study();
  const study = studiesOf(await subject.bundle()).find((one) => uidOf(one) === uid);
  const uids = objectsOf(study?.['series'])
    .flatMap(({ instance }) => objectsOf(instance))
    .map((one) => String(one['uid']));
  return uids.length > 0 ? uids.sort() : undefined;
}

/** @throws Deviation unless the answer has exactly these objects */
function expectObjects({ parts, ...answer }: PartsAnswer, wanted: readonly string[]): string {
  expectAnswer(answer, 'multipart/related');
  const uids = parts.map(({ meta }) => {
    if (!meta) throw new Deviation('a part is not a DICOM object');
    return meta.instanceUid ?? 'no UID';
  });
  expectSame(uids.sort(), wanted, 'objects');
  return `${parts.length} objects`;
}

/** Retrieval of objects, PS3.18 §10.4. */
export const OBJECTS: readonly Check[] = [
  {
    id: 'IA-21',
    name: 'whole-study',
    level: 'MUST',
    sentence: 'A study with transfer-syntax=* is every object as it is stored, one part each.',
    expected: '200 multipart/related with the objects that the metadata, or else the ImagingStudy, name',
    async run(subject) {
      const answer = await wholeStudy(subject);
      const wanted = await instancesOf(subject);
      if (wanted) return expectObjects(answer, wanted);
      if (answer.parts.length === 0) throw new Deviation(`${describe(answer)} without a part`);
      return `${answer.parts.length} objects; neither metadata nor the ImagingStudy name them`;
    },
  },
  {
    id: 'DW-13',
    name: 'closed-multipart',
    level: 'MUST',
    sentence: 'A multipart answer that ends without an error is complete: it ends with the closing boundary.',
    expected: 'the closing boundary',
    async run(subject) {
      const answer = await wholeStudy(subject);
      expectAnswer(answer, 'multipart/related');
      if (!answer.closed) throw new Deviation(`the body ends after ${answer.parts.length} whole parts`);
      return 'closed';
    },
  },
  {
    id: 'DW-5',
    name: 'part-types',
    level: 'MUST',
    sentence: 'Each part is application/dicom, and names no other transfer syntax than its object has.',
    expected: 'Content-Type: application/dicom; transfer-syntax={that of the object}',
    async run(subject) {
      const { parts, type, ...answer } = await wholeStudy(subject);
      expectAnswer({ type, ...answer }, 'multipart/related');
      const root = type.parameters.get('type');
      expectNone([
        ...(root === 'application/dicom' ? [] : [`the multipart type is ${root ?? 'missing'}`]),
        ...parts.flatMap(({ type: { essence, parameters }, meta }) => {
          const named = parameters.get('transfer-syntax');
          if (essence !== 'application/dicom') return [`a part is ${essence || 'of no type'}`];
          if (named === undefined || named === meta?.transferSyntax) return [];
          return [`a part says ${named}, its object is ${meta?.transferSyntax}`];
        }),
      ]);
      return `${parts.length} parts`;
    },
  },
  {
    id: 'DW-5',
    name: 'series-and-instance',
    level: 'MUST',
    sentence: 'A series and an instance can be retrieved as a study can.',
    expected: '200 multipart/related with the objects of the series; with the instance',
    async run(subject) {
      const { seriesUrl, url, series, instance } = await subject.image();
      const ofSeries = (await subject.metadata()).filter((one) => valuesOf([one], TAG.series)[0] === series);
      const found = expectObjects(
        await subject.getParts(seriesUrl, AS_STORED),
        valuesOf(ofSeries, TAG.sopInstance),
      );
      expectObjects(await subject.getParts(url, AS_STORED), [instance]);
      return `${found} of the series, and the instance`;
    },
  },
  {
    id: 'DW-5',
    name: 'default-transfer-syntax',
    level: 'MUST',
    sentence: 'Without a transfer syntax in the request objects are Explicit VR Little Endian, or refused.',
    expected: `${EXPLICIT_LITTLE_ENDIAN}, or 406`,
    async run(subject) {
      const answer = await subject.getParts(
        (await subject.image()).url,
        'multipart/related; type="application/dicom"',
      );
      if (answer.status === 406) return '406';
      expectAnswer(answer, 'multipart/related');
      const syntax = answer.parts[0]?.meta?.transferSyntax;
      if (syntax !== EXPLICIT_LITTLE_ENDIAN) throw new Deviation(`transfer syntax ${syntax}`);
      return syntax;
    },
  },
  {
    id: 'DW-5',
    name: 'single-part',
    level: 'SHOULD',
    sentence: 'One instance can be had as application/dicom without multipart.',
    expected: '200 application/dicom with the instance',
    async run(subject) {
      const { url, instance } = await subject.image();
      const answer = await subject.get(url, { accept: 'application/dicom; transfer-syntax=*' });
      expectAnswer(answer, 'application/dicom');
      const uid = readFileMeta(answer.body)?.instanceUid;
      if (uid !== instance) throw new Deviation(`the body is ${uid ?? 'no DICOM object'}`);
      return `${answer.body.length} bytes`;
    },
  },
  {
    id: 'DW-5',
    name: 'zip',
    level: 'MAY',
    sentence: 'An instance can be had as a zip file.',
    expected: '200 application/zip',
    async run(subject) {
      const answer = await subject.get((await subject.image()).url, { accept: 'application/zip' });
      if ([400, 404, 406, 501].includes(answer.status))
        throw new NotApplicable(`not offered: ${describe(answer)}`);
      expectAnswer(answer, 'application/zip');
      if (answer.body.toString('latin1', 0, 2) !== 'PK') throw new Deviation('the body is not a zip file');
      return `${answer.body.length} bytes`;
    },
  },
];

/** Negotiation, errors and headers of retrievals. */
export const RETRIEVAL_RULES: readonly Check[] = [
  {
    id: 'DW-11',
    name: 'accept-forms',
    level: 'MUST',
    sentence: 'The Accept header of SMART Imaging Access, with the type unquoted, is understood.',
    expected: '200 multipart/related for type=application/dicom, and for */* beside it',
    async run(subject) {
      const { url, instance } = await subject.image();
      const unquoted = 'multipart/related; type=application/dicom; transfer-syntax=*';
      expectObjects(await subject.getParts(url, unquoted), [instance]);
      expectObjects(await subject.getParts(url, `${unquoted}, */*;q=0.1`), [instance]);
      return 'both are understood';
    },
  },
  {
    id: 'DW-11',
    name: 'not-acceptable',
    level: 'SHOULD',
    sentence: 'A media type that the server cannot produce is refused with 406.',
    expected: '406',
    async run(subject) {
      const answer = await subject.get((await subject.image()).url, { accept: 'application/x-conformance' });
      expectStatus(answer, 406);
      return '406';
    },
  },
  {
    id: 'DW-12',
    name: 'absent-study',
    level: 'MUST',
    sentence: 'A study that does not exist is 404.',
    expected: '404 for the study and its metadata',
    async run(subject) {
      const { base } = await subject.study();
      for (const form of ['', '/metadata'])
        expectStatus(await outside(subject, `${base}/studies/${ABSENT_UID}${form}`), 404);
      return '404';
    },
  },
  {
    id: 'DW-12',
    name: 'bad-uid',
    level: 'SHOULD',
    sentence: 'A UID with other characters than digits and dots is refused with 400.',
    expected: '400',
    async run(subject) {
      const { base } = await subject.study();
      expectStatus(await outside(subject, `${base}/studies/no-uid/metadata`), 400);
      return '400';
    },
  },
  {
    id: 'DW-14',
    name: 'not-public',
    level: 'MUST',
    sentence: 'Images are never given to a shared cache.',
    expected: 'no Cache-Control with public or s-maxage',
    async run(subject) {
      const found = await listsOf(subject, 'cache-control');
      expectNone(found.filter((one) => /\bpublic\b|s-maxage/.test(one)));
      return found.join('; ');
    },
  },
  {
    id: 'DW-14',
    name: 'private',
    level: 'SHOULD',
    sentence: 'Images carry Cache-Control: private or no-store.',
    expected: 'Cache-Control: private, or no-store',
    async run(subject) {
      const found = await listsOf(subject, 'cache-control');
      expectNone(found.filter((one) => !/\b(private|no-store)\b/.test(one)));
      return found.join('; ');
    },
  },
  {
    id: 'DW-14',
    name: 'vary',
    level: 'SHOULD',
    sentence: 'Images vary by the token and by the media types of the request.',
    expected: 'Vary: Authorization, Accept',
    async run(subject) {
      const found = await listsOf(subject, 'vary');
      expectNone(
        found.filter((one) => !/\*|authorization.*\baccept\b(?!-)|\baccept\b(?!-).*authorization/.test(one)),
      );
      return found.join('; ');
    },
  },
];

/** Asks for another study than the token's. @throws NotApplicable if the address of the Endpoint opens one study only */
async function outside(subject: Subject, url: string): Promise<Answer> {
  const answer = await subject.get(url);
  if (answer.status === 403 && subject.options.dicomweb === undefined)
    throw new NotApplicable('the Endpoint opens one study only (403); give --dicomweb URL');
  return answer;
}

/** Returns the different values of a header of the study, of its metadata and of a frame. */
async function listsOf(subject: Subject, name: string): Promise<string[]> {
  const { url, base, study } = await subject.image();
  const answers = [
    await wholeStudy(subject),
    await subject.get(`${base}/studies/${study}/metadata`, { accept: DICOM_JSON }),
    await subject.getParts(`${url}/frames/1`, 'multipart/related; type="application/octet-stream"'),
  ];
  const given = answers.filter(({ status }) => status === 200);
  if (given.length === 0) throw new Deviation(describe(answers[0]!));
  return [
    ...new Set(given.map(({ headers }) => `${name}: ${listed(headers, name).join(', ') || 'missing'}`)),
  ];
}
