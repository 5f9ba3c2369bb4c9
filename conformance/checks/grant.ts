import { studiesOf, subjectOf, uidsOf } from '../bundle.ts';
import type { Answer } from '../client.ts';
import { DICOM_JSON, rowsOf, TAG, valuesOf } from '../dicom-json.ts';
import { describe, expectNone } from '../expectations.ts';
import { isObject, objectOf, parsed } from '../json.ts';
import { Deviation } from '../outcome.ts';
import type { Check } from '../requirement.ts';
import { ABSENT_UID, FHIR, ifAny, type Subject } from '../subject.ts';

/** Patients and studies that the token does not cover. */
export const GRANT: readonly Check[] = [
  {
    id: 'IA-7',
    name: 'wrong-patient',
    level: 'MUST',
    sentence:
      'A search that names a patient whom the token does not cover is refused, and never an empty Bundle.',
    expected: '403 with an OperationOutcome, by GET and by POST',
    needs: ['base', 'otherPatient'],
    async run(subject) {
      const other = encodeURIComponent(subject.options.otherPatient!);
      const forms = [
        await subject.search(`patient=${other}`),
        await subject.search(`patient=Patient/${other}`),
        await subject.get(subject.fhir('ImagingStudy/_search'), {
          method: 'POST',
          form: `patient=${other}`,
          accept: FHIR,
        }),
      ];
      for (const answer of forms) {
        const body = parsed(answer);
        const resourceType = isObject(body) ? String(body['resourceType']) : 'no resource';
        if (answer.status !== 403 || resourceType !== 'OperationOutcome')
          throw new Deviation(`status ${answer.status}, ${resourceType}`);
      }
      return '403 with an OperationOutcome';
    },
  },
  {
    id: 'IA-7',
    name: 'patient-list',
    level: 'MUST',
    sentence: 'A patient whom the token does not cover is not found beside one whom it covers.',
    expected: 'an error, or no study of the other patient',
    needs: ['base', 'patient', 'otherPatient'],
    async run(subject) {
      await subject.bundle();
      const other = subject.options.otherPatient!;
      const both = `${subject.patientQuery()},${encodeURIComponent(other)}`;
      return expectNoOther(await subject.search(both), (reference) =>
        `/${reference}`.endsWith(`/Patient/${other}`),
      );
    },
  },
  {
    id: 'IA-7',
    name: 'foreign-study',
    level: 'MUST',
    sentence:
      'A study that the token does not cover is refused exactly as one that does not exist, in every form.',
    expected: '404 (or 403 for both) with the same body',
    needs: ['otherStudy'],
    async run(subject) {
      const { base } = await subject.study();
      for (const form of ['', '/metadata', '/rendered', '/thumbnail', '/series'])
        await expectAlike(subject, (uid) => `${base}/studies/${uid}${form}`);
      return 'the same in 5 forms';
    },
  },
  {
    id: 'IA-7',
    name: 'foreign-imaging-study',
    level: 'MUST',
    sentence: 'An ImagingStudy that the token does not cover is refused exactly as one that does not exist.',
    expected: '404 (or 403 for both) with the same body; not found by its identifier',
    needs: ['base', 'patient', 'otherStudy'],
    async run(subject) {
      await expectAlike(subject, (uid) => subject.fhir(`ImagingStudy/${uid}`));
      const { otherStudy } = subject.options;
      const query = subject.patientQuery(`identifier=urn:oid:${otherStudy}`);
      const found = uidsOf(objectOf(await subject.search(query), 'the search by identifier'));
      if (found.includes(otherStudy!)) throw new Deviation('the search by identifier finds it');
      return 'the same, and not found';
    },
  },
  {
    id: 'IA-9',
    name: 'without-patient',
    level: 'MUST',
    sentence: 'A search that names no patient never finds more than the patient of the token.',
    expected: 'an error, or studies of this patient only',
    needs: ['base', 'patient', 'patientGrant'],
    async run(subject) {
      await subject.bundle();
      const own = `/Patient/${subject.options.patient}`;
      return expectNoOther(await subject.search(''), (reference) => !`/${reference}`.endsWith(own));
    },
  },
  {
    id: 'IA-23',
    name: 'appended-path',
    level: 'MUST',
    sentence: 'No path leads from a study of the token to another study.',
    expected: 'an error for encoded dots and slashes, and for the series of a study in another',
    needs: ['otherStudy'],
    async run(subject) {
      const { base, study } = await subject.study();
      const image = await ifAny(subject.image());
      const other = subject.options.otherStudy!;
      const paths = [
        `${base}/studies/${study}%2f..%2f${other}`,
        `${base}/studies/${study}%2f..%2f${other}/metadata`,
        ...(image
          ? [
              `${image.seriesUrl}%2f..%2f..%2f..%2f${other}/metadata`,
              `${base}/studies/${other}/series/${image.series}/metadata`,
            ]
          : []),
      ];
      for (const path of paths) {
        const answer = await subject.get(path);
        if (answer.status < 400) throw new Deviation(`${describe(answer)} for ${path}`);
      }
      return `${paths.length} paths are refused`;
    },
  },
  {
    id: 'IA-23',
    name: 'search-within-grant',
    level: 'MUST',
    sentence: 'A search by DICOMweb finds studies of the token only.',
    expected: 'no study that the search by FHIR does not find',
    needs: ['base', 'patient', 'patientGrant'],
    async run(subject) {
      const { base } = await subject.searchable();
      const answer = await subject.get(`${base}/studies`, { accept: DICOM_JSON });
      if (answer.status >= 400) return describe(answer);
      const rows = rowsOf(answer);
      const granted = await subject.grantedUids();
      expectNone(
        valuesOf(rows, TAG.study)
          .filter((uid) => !granted.has(uid))
          .map((uid) => `study ${uid} is found`),
      );
      return `${rows.length} of ${granted.size} studies`;
    },
  },
];

/** @throws Deviation if a Bundle has a study of a subject that must not be there */
function expectNoOther(answer: Answer, isOther: (reference: string) => boolean): string {
  if (answer.status >= 400) return describe(answer);
  const subjects = studiesOf(objectOf(answer, 'the search')).map(subjectOf);
  expectNone(subjects.filter(isOther).map((reference) => `a study of ${reference} is found`));
  return `${subjects.length} studies`;
}

/**
 * A body may repeat the UID of its request. An address that opens one study only may be 403 for all others.
 * @throws Deviation unless a foreign study is refused as an absent one
 */
async function expectAlike(subject: Subject, urlOf: (uid: string) => string): Promise<void> {
  const [foreign, absent] = [subject.options.otherStudy!, ABSENT_UID].map(async (uid) => {
    const answer = await subject.get(urlOf(uid));
    return { answer, body: answer.body.toString('latin1').replaceAll(uid, '{uid}') };
  });
  const [one, other] = [await foreign!, await absent!];
  if (![403, 404].includes(one.answer.status))
    throw new Deviation(`${describe(one.answer)} for ${urlOf(subject.options.otherStudy!)}`);
  if (describe(one.answer) !== describe(other.answer))
    throw new Deviation(`${describe(one.answer)}; an absent study: ${describe(other.answer)}`);
  if (one.body !== other.body)
    throw new Deviation(`${one.body.slice(0, 150)}; an absent study: ${other.body.slice(0, 150)}`);
}
