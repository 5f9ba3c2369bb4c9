import type { Identifier, Resource } from 'fhir/r4.js';
import { smallObjects } from '../setup/small-objects.ts';

/** Studies and a record with every way in which they belong together, or must not (FG-9). */

const study = (number: number) => `1.5.${number}`;
/**
 * By what distinguishes them; `bobs` has the accession number of `issued`. Only the record has the last two: `ofBob`
 * contradicts `plain`, of which it has the UID.
 */
export const STUDY = {
  issued: study(1),
  shared: study(2),
  alsoShared: study(3),
  bobs: study(4),
  plain: study(5),
  byOrder: 'ehr-by-order',
  ofBob: 'ehr-of-bob',
} as const;
type StudyName = keyof typeof STUDY;

/** The issuer of the accession number of `issued`. */
const ISSUER = '1.9.1';
const patientOf = (id: string) => `MRN-${id}`;

/** Part 10 files of the studies; each has one series `{study}.1` of two instances `{study}.1.{n}`. */
export function objects(): Buffer[] {
  const own = { patientId: patientOf('ana'), instances: 2 };
  return [
    { ...own, studyUid: STUDY.issued, accessionNumber: 'ACC-1', accessionIssuer: ISSUER },
    { ...own, studyUid: STUDY.shared, accessionNumber: 'ACC-2' },
    { ...own, studyUid: STUDY.alsoShared, accessionNumber: 'ACC-2' },
    { ...own, studyUid: STUDY.bobs, patientId: patientOf('bob'), accessionNumber: 'ACC-1' },
    { ...own, studyUid: STUDY.plain },
  ].flatMap(smallObjects);
}

const UID_SYSTEM = 'urn:dicom:uid';
const uid = (value: string): Identifier => ({ system: UID_SYSTEM, value: `urn:oid:${value}` });
const numbered = (type: string, value: string, more: Identifier = {}): Identifier => ({
  type: { coding: [{ code: type }] },
  value,
  ...more,
});
const acsn = (value: string, more?: Identifier) => numbered('ACSN', value, more);
const ref = (reference: string) => ({ reference });
const code = { text: 'x' };

/** Elements that make a resource of a type valid. */
const REQUIRED: Readonly<Record<string, object>> = {
  DiagnosticReport: { status: 'final', code },
  ServiceRequest: { status: 'active', intent: 'order' },
  Procedure: { status: 'completed' },
  Observation: { status: 'final', code },
  Media: { status: 'completed', content: {} },
  DocumentReference: { status: 'current', content: [{ attachment: {} }] },
  Encounter: { status: 'finished', class: { code: 'AMB' } },
  ImagingStudy: { status: 'available' },
};

const resource = (type: string, id: string, own: object, patient = 'ana') =>
  ({
    resourceType: type,
    id,
    subject: ref(`Patient/${patient}`),
    ...REQUIRED[type],
    ...own,
  }) as unknown as Resource;

/** A resource, and the studies that belong to it. */
export interface Case {
  what: string;
  resource: Resource;
  studies: readonly StudyName[];
}

const cases: Case[] = [];
function add(type: string, what: string, own: object, ...studies: StudyName[]): void {
  const id = `${type.toLowerCase()}-${cases.length}`;
  cases.push({ what: `${type}: ${what}`, resource: resource(type, id, own), studies });
}
/** A case whose id others refer to. */
function addNamed(type: string, id: string, own: object, ...studies: StudyName[]): void {
  cases.push({ what: `${type}/${id}`, resource: resource(type, id, own), studies });
}

const BY_ACCESSION: readonly [what: string, identifier: Identifier, ...StudyName[]][] = [
  ['accession number without issuer', acsn('ACC-1'), 'issued'],
  ['accession number of the issuer', acsn('ACC-1', { system: `urn:oid:${ISSUER}` }), 'issued'],
  ['accession number of another issuer', acsn('ACC-1', { system: 'urn:oid:1.9.2' })],
  ['accession number that two studies have', acsn('ACC-2'), 'shared', 'alsoShared'],
  ['number of the filler', numbered('FILL', 'ACC-1'), 'issued'],
  ['number of the placer', numbered('PLAC', 'ACC-1'), 'issued'],
  ['number of another type', numbered('MR', 'ACC-1')],
  ['number without a type', { value: 'ACC-1' }],
];
for (const type of [
  'DiagnosticReport',
  'ServiceRequest',
  'Procedure',
  'Observation',
  'Media',
  'DocumentReference',
])
  for (const [what, identifier, ...studies] of BY_ACCESSION)
    add(type, what, { identifier: [identifier] }, ...studies);

addNamed('ImagingStudy', 'ehr-uid', { identifier: [uid(STUDY.plain)] });
// The ImagingStudy of the US Core 10 ballot may have an accession number only.
addNamed('ImagingStudy', 'ehr-accession', { identifier: [acsn('ACC-1')] });
addNamed('ImagingStudy', 'ehr-by-order', { basedOn: [ref('ServiceRequest/order')] });
addNamed('ImagingStudy', 'ehr-naming', {
  identifier: [uid(STUDY.plain), { system: 'urn:ris', value: 'R-1' }],
  basedOn: [ref('ServiceRequest/order-named')],
  procedureReference: ref('Procedure/named'),
  encounter: ref('Encounter/named'),
  referrer: ref('Practitioner/doctor'),
  interpreter: [ref('PractitionerRole/role')],
  reasonCode: [{ coding: [{ code: 'cough' }] }],
  series: [
    {
      uid: `${STUDY.plain}.1`,
      bodySite: { code: '51185008' },
      performer: [{ actor: ref('Organization/clinic') }],
    },
    {
      uid: `${STUDY.plain}.9`,
      modality: { code: 'SR' },
      instance: [{ uid: `${STUDY.plain}.9.1`, sopClass: { code: 'urn:oid:1.2.840.10008.5.1.4.1.1.88.33' } }],
    },
  ],
});
addNamed('ServiceRequest', 'order', { identifier: [acsn('ACC-1')] }, 'issued', 'byOrder');
addNamed('ServiceRequest', 'order-named', {}, 'plain');
addNamed('ServiceRequest', 'order-requisition', { requisition: { value: 'ACC-2' } }, 'shared', 'alsoShared');
addNamed(
  'ServiceRequest',
  'order-with-prior',
  { supportingInfo: [ref(`ImagingStudy/${STUDY.plain}`)] },
  'plain',
);
addNamed('Procedure', 'named', {}, 'plain');
addNamed('Encounter', 'named', {}, 'plain');

const BY_REFERENCE: readonly [what: string, reference: object, ...StudyName[]][] = [
  ['reference by UID', ref(`ImagingStudy/${STUDY.plain}`), 'plain'],
  ['reference at another server', ref(`https://pacs.example/fhir/ImagingStudy/${STUDY.plain}`), 'plain'],
  ['reference by identifier', { type: 'ImagingStudy', identifier: uid(STUDY.plain) }, 'plain'],
  ['study of the record with a UID', ref('ImagingStudy/ehr-uid'), 'plain'],
  ['study of the record with an accession number', ref('ImagingStudy/ehr-accession'), 'issued'],
  ['study of the record with an order', ref('ImagingStudy/ehr-by-order'), 'issued', 'byOrder'],
  ['reference to nothing', ref('ImagingStudy/nothing')],
  ['study of another patient', ref(`ImagingStudy/${STUDY.bobs}`)],
  ['study of the record of another patient', ref('ImagingStudy/ehr-of-bob')],
  ['no reference', { reference: 17 }],
];
for (const [what, reference, ...studies] of BY_REFERENCE) {
  add('DiagnosticReport', what, { imagingStudy: [reference] }, ...studies);
  add('Observation', what, { derivedFrom: [reference] }, ...studies);
  add('Observation', `${what}, part of`, { partOf: [reference] }, ...studies);
  add('Media', what, { partOf: [reference] }, ...studies);
  add('DocumentReference', what, { context: { related: [reference] } }, ...studies);
}
const BY_ORDER: readonly [what: string, reference: object, ...StudyName[]][] = [
  ['its order', ref('ServiceRequest/order'), 'issued', 'byOrder'],
  ['its order, which a study of the record names', ref('ServiceRequest/order-named'), 'plain'],
  ['the number of its order', { identifier: acsn('ACC-1') }, 'issued'],
  ['an order with an earlier study', ref('ServiceRequest/order-with-prior')],
  ['the order of another patient', ref('ServiceRequest/order-of-bob')],
];
for (const [what, reference, ...studies] of BY_ORDER)
  for (const type of ['DiagnosticReport', 'Procedure', 'Observation', 'Media', 'Encounter'])
    add(type, what, { basedOn: [reference] }, ...studies);

// Series and instances.
for (const [what, derivedFrom] of [
  ['series', { identifier: uid(`${STUDY.plain}.1`) }],
  ['instance', { identifier: uid(`${STUDY.plain}.1.2`) }],
  ['series that only the record names', { identifier: uid(`${STUDY.plain}.9`) }],
  ['instance that only the record names', { identifier: uid(`${STUDY.plain}.9.1`) }],
  ['DICOMweb URL', ref(`https://pacs.example/studies/${STUDY.plain}/series/1.2/instances/1.3`)],
] as const)
  add('Observation', what, { derivedFrom: [derivedFrom] }, 'plain');
add('Media', 'instance', { identifier: [uid(`${STUDY.shared}.1.1`)] }, 'shared');
add('DocumentReference', 'series', { masterIdentifier: uid(`${STUDY.shared}.1`) }, 'shared');
add('Observation', 'instance of another patient', {
  derivedFrom: [{ identifier: uid(`${STUDY.bobs}.1.1`) }],
});

const EXTENSION = 'http://hl7.org/fhir/5.0/StructureDefinition/extension-ImagingSelection';
const selected = (contained: object) => ({ contained: [contained], derivedFrom: [ref('#selection')] });
const basic = (...extension: object[]) => ({
  resourceType: 'Basic',
  id: 'selection',
  code: { coding: [{ code: 'ImagingSelection' }] },
  extension,
});
add(
  'Observation',
  'ImagingSelection as Basic, of a study',
  selected(basic({ url: `${EXTENSION}.studyUid`, valueId: STUDY.plain })),
  'plain',
);
add(
  'Observation',
  'ImagingSelection as Basic, of an instance',
  selected(
    basic({ url: `${EXTENSION}.instance`, extension: [{ url: 'uid', valueId: `${STUDY.plain}.1.1` }] }),
  ),
  'plain',
);
add(
  'Observation',
  'ImagingSelection as Basic, derived from a study of the record',
  selected(basic({ url: `${EXTENSION}.derivedFrom`, valueReference: ref('ImagingStudy/ehr-accession') })),
  'issued',
);
add(
  'Observation',
  'ImagingSelection of R5',
  selected({
    resourceType: 'ImagingSelection',
    id: 'selection',
    seriesUid: `${STUDY.plain}.1`,
    derivedFrom: [ref('#selection')],
  }),
  'plain',
);
add(
  'DiagnosticReport',
  'contained study',
  {
    contained: [{ ...resource('ImagingStudy', 'own', { identifier: [uid(STUDY.plain)] }) }],
    imagingStudy: [ref('#own')],
  },
  'plain',
);

// By way of others, in circles, and contradictions.
addNamed('Media', 'key-image', { basedOn: [ref('ServiceRequest/order')] }, 'issued', 'byOrder');
add('Observation', 'of a picture', { derivedFrom: [ref('Media/key-image')] }, 'issued', 'byOrder');
addNamed('Observation', 'circle-1', { derivedFrom: [ref('Observation/circle-2')] }, 'plain');
addNamed(
  'Observation',
  'circle-2',
  {
    derivedFrom: [
      ref('Observation/circle-1'),
      ref(`ImagingStudy/${STUDY.plain}`),
      ref('Observation/circle-2'),
    ],
  },
  'plain',
);
addNamed('DiagnosticReport', 'of-procedure', { imagingStudy: [ref(`ImagingStudy/${STUDY.plain}`)] }, 'plain');
add('Procedure', 'its report', { report: [ref('DiagnosticReport/of-procedure')] }, 'plain');
add(
  'DiagnosticReport',
  'UID of one study and accession number of another',
  { identifier: [uid(STUDY.plain), acsn('ACC-1')] },
  ...(['plain', 'issued'] as const),
);
add('DiagnosticReport', 'report of no patient', { subject: ref('Group/1'), identifier: [acsn('ACC-1')] });
addNamed('Encounter', 'visit', {}, 'issued', 'plain');
for (const [type, own, ...studies] of [
  ['DiagnosticReport', { imagingStudy: [ref(`ImagingStudy/${STUDY.plain}`)] }, 'plain'],
  ['ServiceRequest', { identifier: [acsn('ACC-1')] }, 'issued'],
] as const)
  add(type, 'in an encounter', { ...own, encounter: ref('Encounter/visit') }, ...studies);
addNamed('Encounter', 'documented', {}, 'shared');
add(
  'DocumentReference',
  'in an encounter',
  { context: { encounter: [ref('Encounter/documented')], related: [ref(`ImagingStudy/${STUDY.shared}`)] } },
  'shared',
);
addNamed('Encounter', 'without-studies', {});
add('Condition', 'nothing', { encounter: ref('Encounter/without-studies') });

/** All cases of the patient `ana`, without the studies of the record and what is not joined. */
export const CASES = cases.filter(
  ({ resource: { resourceType } }) => !['ImagingStudy', 'Condition'].includes(resourceType),
);

/** The whole record, with resources of another patient that contradict. */
export const RECORD: readonly Resource[] = [
  ...['ana', 'bob'].map((id) => ({
    resourceType: 'Patient' as const,
    id,
    birthDate: id === 'ana' ? '1970-01-01' : '1980-01-01',
    identifier: [{ value: patientOf(id), type: { coding: [{ code: 'MR' }] } }],
  })),
  ...cases.map((one) => one.resource),
  ...(['Practitioner/doctor', 'PractitionerRole/role', 'Organization/clinic'] as const).map((name) => {
    const [resourceType = '', id = ''] = name.split('/');
    return { resourceType, id } as Resource;
  }),
  resource('ImagingStudy', 'ehr-of-bob', { identifier: [uid(STUDY.plain), acsn('ACC-1')] }, 'bob'),
  resource('ServiceRequest', 'order-of-bob', { identifier: [acsn('ACC-1'), uid(STUDY.plain)] }, 'bob'),
  // Of bob, but in ana's encounter, and derived from ana's images.
  resource(
    'DiagnosticReport',
    'stray',
    { encounter: ref('Encounter/without-studies'), identifier: [acsn('ACC-1')] },
    'bob',
  ),
  resource('Observation', 'stray', { derivedFrom: [ref(`ImagingStudy/${STUDY.plain}`)] }, 'bob'),
];
