import { expectNone, expectObject } from '../expectations.ts';
import { objectOf, objectsOf } from '../json.ts';
import { Deviation } from '../outcome.ts';
import type { Check } from '../requirement.ts';

/** The CapabilityStatement, FHIR R4 §3.1.0.12. */
export const CAPABILITY_STATEMENT: readonly Check[] = [
  {
    id: 'SM-1',
    name: 'metadata-without-token',
    level: 'MUST',
    sentence: 'The CapabilityStatement is FHIR JSON and can be read without a token.',
    expected: '200 application/fhir+json with a CapabilityStatement',
    needs: ['base'],
    async run(subject) {
      const { resourceType } = expectObject(await subject.readCapabilities(), 'application/fhir+json');
      if (resourceType !== 'CapabilityStatement') throw new Deviation(`resourceType ${String(resourceType)}`);
      return 'CapabilityStatement';
    },
  },
  {
    id: 'SM-4',
    name: 'version-and-security',
    level: 'MUST',
    sentence: 'The CapabilityStatement says FHIR 4.0.1, and that the server is secured by SMART on FHIR.',
    expected: 'fhirVersion 4.0.1, rest.security.service SMART-on-FHIR',
    needs: ['base'],
    async run(subject) {
      const statement = objectOf(await subject.readCapabilities(), 'the CapabilityStatement');
      const services = objectsOf(statement['rest'])
        .flatMap(({ security }) => objectsOf([security]).flatMap(({ service }) => objectsOf(service)))
        .flatMap(({ coding }) => objectsOf(coding).map(({ code }) => code));
      expectNone([
        ...(statement['fhirVersion'] === '4.0.1' ? [] : [`fhirVersion ${String(statement['fhirVersion'])}`]),
        ...(services.includes('SMART-on-FHIR') ? [] : ['rest.security.service lacks SMART-on-FHIR']),
      ]);
      return '4.0.1, SMART-on-FHIR';
    },
  },
  {
    id: 'SM-4',
    name: 'imaging-study-search',
    level: 'MUST',
    sentence: 'The CapabilityStatement lists the search of ImagingStudy with its required parameters.',
    expected: 'search-type of ImagingStudy with patient, identifier and _lastUpdated',
    needs: ['base'],
    async run(subject) {
      const statement = objectOf(await subject.readCapabilities(), 'the CapabilityStatement');
      const resource = objectsOf(statement['rest'])
        .flatMap((rest) => objectsOf(rest['resource']))
        .find(({ type }) => type === 'ImagingStudy');
      const interactions = objectsOf(resource?.['interaction']).map(({ code }) => code);
      const parameters = objectsOf(resource?.['searchParam']).map(({ name }) => name);
      expectNone([
        ...(interactions.includes('search-type') ? [] : ['ImagingStudy lacks search-type']),
        ...['patient', 'identifier', '_lastUpdated']
          .filter((name) => !parameters.includes(name))
          .map((name) => `ImagingStudy lacks the parameter ${name}`),
      ]);
      return `${parameters.length} parameters`;
    },
  },
];
