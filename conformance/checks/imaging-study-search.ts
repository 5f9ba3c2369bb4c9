import { endpointOf, endpointReferences, entriesOf, studiesOf, subjectOf, uidOf, uidsOf } from '../bundle.ts';
import { describe, expectNone, expectObject, expectSame, expectStatus } from '../expectations.ts';
import { isObject, objectsOf, parsed, type Json } from '../json.ts';
import { Deviation } from '../outcome.ts';
import type { Check } from '../requirement.ts';
import { ABSENT_UID, FHIR, type Subject } from '../subject.ts';

const NEEDS = ['base', 'patient'] as const;

/** Searches, and returns the Bundle. @throws Deviation if there is none */
async function found(subject: Subject, query: string): Promise<Json> {
  return expectObject(await subject.search(query), FHIR);
}

/** `GET [base]/ImagingStudy`: which studies it finds. */
export const STUDY_SEARCH: readonly Check[] = [
  {
    id: 'IA-13',
    name: 'by-patient',
    level: 'MUST',
    sentence: 'The search by patient finds the studies of this patient, and no others.',
    expected: '200 application/fhir+json, each ImagingStudy with this subject',
    needs: NEEDS,
    async run(subject) {
      const studies = studiesOf(await found(subject, subject.patientQuery('_include=ImagingStudy:endpoint')));
      if (studies.length === 0) throw new Deviation('no study; name a patient who has one');
      const own = `/Patient/${subject.options.patient}`;
      expectNone(
        studies
          .map(subjectOf)
          .filter((one) => !`/${one}`.endsWith(own))
          .map((one) => `subject ${one}`),
      );
      return `${studies.length} studies`;
    },
  },
  {
    id: 'IA-13',
    name: 'patient-forms',
    level: 'MUST',
    sentence: 'The patient can be given as an id or as a reference, by GET or by POST to _search.',
    expected: 'the same studies in every form',
    needs: NEEDS,
    async run(subject) {
      const wanted = uidsOf(await subject.bundle());
      const reference = `patient=Patient/${encodeURIComponent(subject.options.patient!)}`;
      expectSame(uidsOf(await found(subject, reference)), wanted, 'by reference');
      const ask = { method: 'POST', form: subject.patientQuery(), accept: FHIR } as const;
      const posted = await subject.get(subject.fhir('ImagingStudy/_search'), ask);
      expectSame(uidsOf(expectObject(posted, FHIR)), wanted, 'by POST');
      return `${wanted.length} studies`;
    },
  },
  {
    id: 'IA-13',
    name: 'last-updated',
    level: 'MUST',
    sentence: 'The search by patient can be limited by _lastUpdated.',
    expected: 'all studies with ge1900-01-01, none with lt1900-01-01',
    needs: NEEDS,
    async run(subject) {
      const wanted = uidsOf(await subject.bundle());
      const later = await found(subject, subject.patientQuery('_lastUpdated=ge1900-01-01'));
      expectSame(uidsOf(later), wanted, 'ge1900-01-01');
      const earlier = await found(subject, subject.patientQuery('_lastUpdated=lt1900-01-01'));
      expectSame(uidsOf(earlier), [], 'lt1900-01-01');
      return `${wanted.length} and 0 studies`;
    },
  },
  {
    id: 'IA-13',
    name: 'identifier',
    level: 'MUST',
    sentence:
      'A study of the patient is found by its UID: with the system urn:dicom:uid, as urn:oid, or as digits.',
    expected: 'exactly this study for each form, and none for a UID that does not exist',
    needs: NEEDS,
    async run(subject) {
      const uid = uidOf(studiesOf(await subject.bundle())[0]!);
      for (const value of [`urn:dicom:uid|urn:oid:${uid}`, `urn:oid:${uid}`, uid]) {
        const query = subject.patientQuery(`identifier=${encodeURIComponent(value)}`);
        expectSame(uidsOf(await found(subject, query)), [uid], value);
      }
      const absent = subject.patientQuery(`identifier=urn:oid:${ABSENT_UID}`);
      expectSame(uidsOf(await found(subject, absent)), [], 'a UID that does not exist');
      return uid;
    },
  },
  {
    id: 'IA-14',
    name: 'include-endpoint',
    level: 'MUST',
    sentence: 'With _include=ImagingStudy:endpoint the Endpoint of each study is in the same page.',
    expected: 'each reference of a study leads to a contained Endpoint, or to an entry with mode include',
    needs: NEEDS,
    async run(subject) {
      const bundle = await subject.bundle();
      expectNone(
        studiesOf(bundle).flatMap((study) =>
          endpointReferences(study)
            .filter((reference) => !endpointOf(reference, study, bundle))
            .map((reference) => `${reference} is not in the page`),
        ),
      );
      const included = entriesOf(bundle).filter(({ resource }) => resource['resourceType'] === 'Endpoint');
      expectNone(
        included
          .filter(({ mode }) => mode !== 'include')
          .map(({ mode }) => `an Endpoint has the mode ${String(mode)}`),
      );
      return included.length > 0 ? `${included.length} included` : 'contained';
    },
  },
  {
    id: 'IA-18',
    name: 'endpoint-resolves',
    level: 'MUST',
    sentence: 'An Endpoint is contained in its study, is in the same page, or can be read by itself.',
    expected: 'every Endpoint of a search without _include is found',
    needs: NEEDS,
    async run(subject) {
      const bundle = await found(subject, subject.patientQuery());
      let count = 0;
      for (const study of studiesOf(bundle))
        for (const reference of endpointReferences(study)) {
          count++;
          if (endpointOf(reference, study, bundle)) continue;
          if (/^(#|urn:)/.test(reference)) throw new Deviation(`${reference} is not in the page`);
          const url = URL.canParse(reference) ? reference : subject.fhir(reference);
          const { resourceType } = expectObject(await subject.get(url, { accept: FHIR }), FHIR);
          if (resourceType !== 'Endpoint') throw new Deviation(`${reference} is ${String(resourceType)}`);
        }
      return `${count} references`;
    },
  },
];

/** The form of Bundles and errors. */
export const BUNDLE_FORM: readonly Check[] = [
  {
    id: 'IA-20',
    name: 'bundle',
    level: 'MUST',
    sentence:
      'A search answers a searchset Bundle as application/fhir+json with a self link, absolute fullUrls and the mode of each entry.',
    expected: 'type searchset, link self, entry.fullUrl absolute, entry.search.mode',
    needs: NEEDS,
    async run(subject) {
      const bundle = expectObject(await subject.search(), FHIR);
      const self = objectsOf(bundle['link']).find(({ relation }) => relation === 'self');
      expectNone([
        ...(bundle['resourceType'] === 'Bundle' ? [] : [`resourceType ${String(bundle['resourceType'])}`]),
        ...(bundle['type'] === 'searchset' ? [] : [`type ${String(bundle['type'])}`]),
        ...(typeof self?.['url'] === 'string' ? [] : ['no self link']),
        ...entriesOf(bundle).flatMap(({ fullUrl, mode }) => [
          ...(typeof fullUrl === 'string' && URL.canParse(fullUrl) ? [] : [`fullUrl ${String(fullUrl)}`]),
          ...(['match', 'include', 'outcome'].includes(String(mode)) ? [] : [`mode ${String(mode)}`]),
        ]),
      ]);
      return `${entriesOf(bundle).length} entries`;
    },
  },
  {
    id: 'IA-20',
    name: 'error',
    level: 'MUST',
    sentence: 'An error is an OperationOutcome with the right status.',
    expected: '404 application/fhir+json with an OperationOutcome for a study that does not exist',
    needs: NEEDS,
    async run(subject) {
      const answer = await subject.get(subject.fhir(`ImagingStudy/${ABSENT_UID}`), { accept: FHIR });
      expectStatus(answer, 404);
      const body = parsed(answer);
      if (answer.type.essence !== FHIR || !isObject(body) || body['resourceType'] !== 'OperationOutcome')
        throw new Deviation(`${describe(answer)} without an OperationOutcome`);
      return '404 with an OperationOutcome';
    },
  },
  {
    id: 'IA-38',
    name: 'unknown-parameter',
    level: 'SHOULD',
    sentence:
      'A search parameter that was not applied is not in the self link; with strict handling it is refused.',
    expected: 'a self link without it; 400 with Prefer: handling=strict',
    needs: NEEDS,
    async run(subject) {
      const query = subject.patientQuery('no-such-parameter=1');
      const strict = await subject.search(query, { headers: { prefer: 'handling=strict' } });
      expectStatus(strict, 400);
      const lenient = await subject.search(query, { headers: { prefer: 'handling=lenient' } });
      const links = objectsOf(expectObject(lenient, FHIR)['link']);
      const self = String(links.find(({ relation }) => relation === 'self')?.['url']);
      if (self.includes('no-such-parameter')) throw new Deviation(`the self link is ${self}`);
      return 'left out, and refused with strict handling';
    },
  },
];
