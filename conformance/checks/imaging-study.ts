import { endpointReferences, studiesOf, subjectOf, uidOf } from '../bundle.ts';
import { expectNone, expectObject } from '../expectations.ts';
import { objectsOf, type Json } from '../json.ts';
import { Deviation, NotApplicable } from '../outcome.ts';
import type { Check } from '../requirement.ts';
import { FHIR } from '../subject.ts';

const NEEDS = ['base', 'patient'] as const;

/** The members of an ImagingStudy. */
export const STUDY_CONTENT: readonly Check[] = [
  ofEachStudy({
    name: 'identifier',
    sentence:
      'The first identifier of a study is its UID, with the system urn:dicom:uid and the value urn:oid:{uid}.',
    expected: 'identifier[0] with system urn:dicom:uid and value urn:oid:{digits and dots}',
    problems(study) {
      const [first] = objectsOf(study['identifier']);
      const { system, value } = first ?? {};
      const right = system === 'urn:dicom:uid' && /^urn:oid:[\d.]{1,64}$/.test(String(value));
      return right ? [] : [`the first identifier is ${JSON.stringify(first)}`];
    },
  }),
  ofEachStudy({
    name: 'members',
    sentence:
      'A study has an id, a status, a subject and a modality; it has an Endpoint if it can be retrieved.',
    expected: 'id, status, subject.reference, modality, and endpoint of each available study',
    problems(study) {
      const modalities = objectsOf(study['modality']).filter(({ code }) => typeof code === 'string');
      const retrievable = study['status'] === 'available';
      return [
        ...['id', 'status'].filter((name) => typeof study[name] !== 'string'),
        ...(subjectOf(study).includes('Patient/') ? [] : ['subject']),
        ...(modalities.length > 0 ? [] : ['modality']),
        ...(!retrievable || endpointReferences(study).length > 0 ? [] : ['endpoint']),
      ].map((name) => `${name} is missing`);
    },
  }),
  {
    id: 'IA-15',
    name: 'read',
    level: 'MUST',
    sentence: 'A study can be read by its id.',
    expected: '200 application/fhir+json with the same study',
    needs: NEEDS,
    async run(subject) {
      const [study] = studiesOf(await subject.bundle());
      const url = subject.fhir(`ImagingStudy/${String(study!['id'])}`);
      const read = expectObject(await subject.get(url, { accept: FHIR }), FHIR);
      if (read['resourceType'] !== 'ImagingStudy' || uidOf(read) !== uidOf(study!))
        throw new Deviation(`${String(read['resourceType'])} ${uidOf(read)}`);
      return uidOf(read);
    },
  },
  {
    id: 'IA-16',
    name: 'counts',
    level: 'SHOULD',
    sentence: 'A study tells its series and instances, with the same numbers as its metadata by DICOMweb.',
    expected: 'numberOfSeries and numberOfInstances of the study, as in the metadata',
    needs: NEEDS,
    async run(subject) {
      const { study: uid } = await subject.study();
      const study = studiesOf(await subject.bundle()).find((one) => uidOf(one) === uid);
      if (!study) throw new NotApplicable('the study is not in the first page');
      const objects = await subject.metadata();
      const series = new Set(objects.map((one) => JSON.stringify(one['0020000E'])));
      const [told, counted] = [
        `${String(study['numberOfSeries'])} series, ${String(study['numberOfInstances'])} instances`,
        `${series.size} series, ${objects.length} instances`,
      ];
      if (told !== counted) throw new Deviation(`${told}; the metadata have ${counted}`);
      return told;
    },
  },
];

/** Makes a check of IA-15 that looks at each study of the first page. */
function ofEachStudy({
  problems,
  ...texts
}: Pick<Check, 'name' | 'sentence' | 'expected'> & { problems(study: Json): string[] }): Check {
  return {
    id: 'IA-15',
    level: 'MUST',
    needs: NEEDS,
    ...texts,
    async run(subject) {
      const studies = studiesOf(await subject.bundle());
      expectNone(studies.flatMap(problems));
      return `${studies.length} studies`;
    },
  };
}
