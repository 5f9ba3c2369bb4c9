import fhirpath from 'fhirpath';
import r4 from 'fhirpath/fhir-context/r4';
import { expect, test } from 'vitest';
import {
  argumentName,
  clinicalResources,
  defaultReverseParameter,
  fieldsOf,
  graphqlType,
  imagingResources,
  isResourceType,
  parameterOfArgument,
  patientCompartment,
  resourceTypes,
  reverseParameters,
  searchParameter,
  searchParameters,
  tables,
} from './tables.ts';

test('the type of every field is known', () => {
  const primitive = new Set(['Resource']);
  const unknown = Object.values(tables.types)
    .flat()
    .filter(({ kind, type }) => kind !== 'primitive' && !primitive.has(type) && fieldsOf(type).length === 0);
  expect(unknown).toEqual([]);
});

test.each([
  ['Patient', 'birthDate', { type: 'date', kind: 'primitive', list: false, summary: true }],
  ['Patient', 'name', { type: 'HumanName', kind: 'complex', list: true, summary: true }],
  ['Patient', 'contained', { type: 'Resource', kind: 'resource', list: true }],
  [
    'Patient',
    'managingOrganization',
    { type: 'Reference', kind: 'reference', list: false, summary: true, targets: ['Organization'] },
  ],
  [
    'Observation',
    'valueQuantity',
    { type: 'Quantity', kind: 'complex', list: false, choice: 'value', summary: true },
  ],
  ['Observation', 'status', { type: 'code', kind: 'primitive', list: false, summary: true, mandatory: true }],
  ['Observation', 'component', { type: 'ObservationComponent', kind: 'complex', list: true, summary: true }],
  [
    'ObservationComponent',
    'referenceRange',
    { type: 'ObservationReferenceRange', kind: 'complex', list: true },
  ],
  ['ImagingStudySeries', 'instance', { type: 'ImagingStudySeriesInstance', kind: 'complex', list: true }],
  ['Extension', 'url', { type: 'uri', kind: 'primitive', list: false, mandatory: true }],
])('%s.%s is known as %o', (type, name, expected) => {
  expect(fieldsOf(type).find((field) => field.name === name)).toEqual({ name, ...expected });
});

test('unknown types have no entries, nor do names that every object inherits', () => {
  for (const type of ['Nonsense', 'constructor', '__proto__']) {
    expect([fieldsOf(type), searchParameters(type), patientCompartment(type), isResourceType(type)]).toEqual([
      [],
      [],
      [],
      false,
    ]);
    expect(reverseParameters('Condition', type)).toEqual([]);
    expect(graphqlType(type)).toBe(type);
  }
});

test('resource types are those of both subgraphs', () => {
  expect(resourceTypes).toHaveLength(clinicalResources.length + imagingResources.length);
  expect(resourceTypes).toEqual(expect.arrayContaining(['Endpoint', 'ImagingStudy', 'Patient']));
});

test.each([
  ['Condition', 'code', 'token', 'Condition.code'],
  ['Condition', 'patient', 'reference', 'Condition.subject'],
  [
    'Observation',
    'value-quantity',
    'quantity',
    'Observation.value.ofType(Quantity) | Observation.value.ofType(SampledData)',
  ],
  [
    'Observation',
    'value-string',
    'string',
    'Observation.value.ofType(string) | Observation.value.ofType(CodeableConcept).text',
  ],
  ['Patient', 'phone', 'token', "Patient.telecom.where(system='phone')"],
  ['Patient', '_id', 'token', 'Resource.id'],
  ['MedicationRequest', 'code', 'token', 'MedicationRequest.medication.ofType(CodeableConcept)'],
])('%s?%s is a %s of %s', (type, code, kind, expression) => {
  expect(searchParameter(type, code)).toMatchObject({ type: kind, expression });
});

test('every expression compiles, and every composite names its components', () => {
  for (const parameter of resourceTypes.flatMap(searchParameters)) {
    expect(() => fhirpath.compile(parameter.expression, r4), parameter.expression).not.toThrow();
    for (const component of parameter.components ?? []) expect(component.code).not.toBe('');
  }
});

test('expressions find all values of a resource, also of repeated elements', () => {
  const observation = {
    resourceType: 'Observation',
    valueString: 'high',
    component: [{ valueQuantity: { value: 120 } }, { valueQuantity: { value: 80 } }, { valueString: 'x' }],
  };
  const values = (code: string) =>
    fhirpath.evaluate(observation, searchParameter('Observation', code)?.expression ?? '', {}, r4);
  expect(values('component-value-quantity')).toEqual([{ value: 120 }, { value: 80 }]);
  expect(values('value-string')).toEqual(['high']);
});

test.each([
  ['Condition', 'patient', ['Patient']],
  ['Condition', 'subject', ['Group', 'Patient']],
  ['Appointment', 'practitioner', ['Practitioner']],
])('%s?%s refers to %j', (type, code, targets) => {
  expect(searchParameter(type, code)?.targets).toEqual(targets);
});

test.each([
  ['AllergyIntolerance', ['patient', 'recorder', 'asserter']],
  ['ImagingStudy', ['patient']],
  ['Patient', ['link']],
  ['Organization', []],
  ['Medication', []],
])('%s belongs to a patient by %j', (type, codes) => {
  expect(patientCompartment(type)).toEqual(codes);
});

test('the parameters of the compartment are search parameters of the type', () => {
  const missing = resourceTypes.flatMap((type) =>
    patientCompartment(type).filter((code) => searchParameter(type, code)?.type !== 'reference'),
  );
  expect(missing).toEqual([]);
});

test.each([
  ['Condition', 'Patient', ['asserter', 'patient', 'subject'], 'patient'],
  ['Condition', 'Practitioner', ['asserter'], 'asserter'],
  ['DocumentReference', 'Practitioner', ['authenticator', 'author', 'subject'], undefined],
  ['Condition', 'Organization', [], undefined],
])('FG-3: %s refers to %s by %j, by default %s', (source, target, codes, byDefault) => {
  expect(reverseParameters(source, target)).toEqual(codes);
  expect(defaultReverseParameter(source, target)).toBe(byDefault);
});

test('the argument of a parameter leads back to the parameter', () => {
  for (const type of resourceTypes) {
    for (const { code } of searchParameters(type)) {
      expect(parameterOfArgument(type, argumentName(code))?.code).toBe(code);
    }
  }
});
