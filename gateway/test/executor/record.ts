/**
 * The record and the images of the corpus: two Synthea patients, a resource of every type, and resources with values that
 * FHIR does not allow.
 */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Access } from '../../../schema/access/access.ts';
import { parseScopes } from '../../../schema/access/scopes.ts';
import { clinicalResources } from '../../../schema/fhir/tables.ts';
import { BORN, mrnOf, writeStudies } from '../../bench/data/large-patient.ts';
import { sharedDataPath } from '../setup/shared-data.ts';
import { num, srFile } from '../setup/sr-objects.ts';

interface Resource {
  resourceType: string;
  id: string;
  [element: string]: unknown;
}

/** A patient of the corpus, and what belongs to nobody else. */
export interface CorpusPatient {
  id: string;
  mrn: string;
  /** Ids by type of resource; of an ImagingStudy, UIDs too. */
  ids: ReadonlyMap<string, readonly string[]>;
  /** Family name, which no other resource has. */
  name: string;
}

const BUNDLES = [
  'Karena_Pfeffer_1f99a0cb-594b-476a-b9cb-502594c1ee6b.json',
  'Louis_Erdman_55bbe118-e08d-4408-86e5-6084457500d4.json',
];
/** Types of Synthea's resources that both patients may see. */
const SHARED = new Set(['Organization', 'Practitioner', 'Patient']);

/** Writes records into `patients` and images into `images`. */
export async function writeCorpus(directory: string): Promise<{
  patients: readonly [CorpusPatient, CorpusPatient];
  /** Folders of the record and of the images. */
  data: { patients: string; images: string };
  /** Names of the elements in the record, by type; of parts of resources, below an empty name. */
  elements: ReadonlyMap<string, ReadonlySet<string>>;
}> {
  const data = { patients: join(directory, 'patients'), images: join(directory, 'images') };
  await mkdir(data.patients, { recursive: true });
  const elements = new Map<string, Set<string>>([['', new Set()]]);
  const patients: CorpusPatient[] = [];
  for (const [index, file] of BUNDLES.entries()) {
    const number = index + 1;
    const text = readFileSync(sharedDataPath('fhir/synthea', file), 'utf8');
    const bundle = JSON.parse(text) as { entry: { resource: Resource }[] };
    const resources = bundle.entry.map(({ resource }) => resource);
    const patient = resources.find(({ resourceType }) => resourceType === 'Patient')!;
    const name = `Family${number}`;
    Object.assign(patient, {
      birthDate: BORN,
      name: [{ use: 'official', family: name, given: ['A', 'B'] }],
      identifier: [{ type: { coding: [{ code: 'MR' }] }, value: mrnOf(number) }],
    });
    await writeFile(join(data.patients, `${number}.json`), JSON.stringify(bundle));
    const lines = handWritten(`p${number}`, patient.id);
    await writeFile(join(data.patients, `${number}.ndjson`), lines.join('\n'));
    const all = [...resources, ...lines.map((line) => JSON.parse(line) as Resource)];
    all.forEach((one) => addElements(elements, one));
    const ids = idsOf(all, number);
    patients.push({ id: patient.id, mrn: mrnOf(number), ids, name });
    await writeStudies(data.images, number);
    for (const [file, report] of Object.entries(reportsOf(number)))
      await writeFile(join(data.images, `${number}`, file), report);
  }
  return { patients: patients as [CorpusPatient, CorpusPatient], data, elements };
}

function addElements(elements: Map<string, Set<string>>, resource: Resource): void {
  const { resourceType } = resource;
  const own = elements.get(resourceType) ?? new Set();
  elements.set(resourceType, own);
  for (const name of Object.keys(resource)) own.add(name);
  for (const [, name] of JSON.stringify(resource).matchAll(/"(\w+)":/g)) elements.get('')!.add(name!);
}

/** Returns the ids of resources by type, with the UIDs of the patient's images. */
function idsOf(resources: readonly Resource[], number: number): Map<string, string[]> {
  const ids = new Map<string, string[]>([['ImagingStudy', [`1.2.3.${number}.1`, `1.2.3.${number}.10`]]]);
  for (const { resourceType, id } of resources) {
    if (resourceType === 'OperationOutcome') continue;
    ids.set(resourceType, [...(ids.get(resourceType) ?? []), id]);
  }
  return ids;
}

/** Returns the ids that only this patient has. */
export const ownIds = ({ ids }: CorpusPatient): string[] =>
  [...ids].flatMap(([type, some]) => (SHARED.has(type) ? [] : some));

/** Reports in the images: measurements, and two studies with one accession number. */
function reportsOf(number: number): Record<string, Buffer> {
  const report = (study: number, accession: string) =>
    srFile({
      studyUid: `1.2.3.${number}.${study}`,
      patientId: mrnOf(number),
      title: 'DCM 126000 Imaging Measurement Report',
      children: [num('SCT 81827009 Diameter', '12.50', 'UCUM mm millimeter')],
      more: [{ tag: 0x00080050, vr: 'SH', value: accession }],
    });
  return { 'sr-10.dcm': report(10, `ACC-${number}`), 'sr-9.dcm': report(9, `ACC-${number}`) };
}

/** @param scope SMART scopes */
export function accessTo(patients: readonly CorpusPatient[] | 'all', scope: string): Access {
  const of = { tenant: 't', permissions: parseScopes(scope), expires: Date.now() / 1000 + 3600 };
  if (patients === 'all') return { ...of, patients };
  return {
    ...of,
    patients: patients.map(({ id, mrn }) => {
      const identifier = [{ value: mrn, type: { coding: [{ code: 'MR' }] } }];
      return { id, identity: { id, identifier, birthDate: BORN } };
    }),
  };
}

/** Elements that say whose a resource is, of types that have neither `subject` nor `patient`. */
const OWNERS: Readonly<Record<string, (patient: object) => object>> = {
  Appointment: (actor) => ({ participant: [{ actor }] }),
  AuditEvent: (who) => ({ agent: [{ who }] }),
  Coverage: (beneficiary) => ({ beneficiary }),
  Group: (entity) => ({ member: [{ entity }] }),
  Provenance: (patient) => ({ target: [patient] }),
  Task: (patient) => ({ for: patient }),
};

/** Returns resources as lines of NDJSON. @param own begins the ids */
function handWritten(own: string, patientId: string): string[] {
  const patient = { reference: `Patient/${patientId}` };
  const types = clinicalResources.filter((type) => type !== 'Patient');
  const ofEvery = types.map((type) => ({
    resourceType: type,
    id: `${own}-${type}`,
    subject: patient,
    patient,
    ...OWNERS[type]?.(patient),
  }));
  const everything = [...types, 'ImagingStudy'].map((type) => ({ reference: `${type}/${own}-${type}` }));
  const contained = [...clinicalResources, 'ImagingStudy', 'Endpoint'].map((type) => ({
    resourceType: type,
    id: `in-${type}`,
  }));
  const uid = `1.2.3.${own.slice(1)}.10`;
  const code = { text: 'Chest CT', coding: [{ system: 'http://loinc.org', code: '24627-2' }] };
  const accession = {
    type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'ACSN' }] },
    value: `ACC-${own.slice(1)}`,
  };
  const more = [
    {
      resourceType: 'List',
      id: `${own}-all`,
      status: 'current',
      subject: patient,
      entry: [...everything, patient].map((item) => ({ item })),
    },
    {
      resourceType: 'ImagingStudy',
      id: `${own}-ImagingStudy`,
      status: 'available',
      started: '2001',
      subject: patient,
      modality: [{ code: 'CT' }],
      reasonReference: [...everything, patient],
      contained,
      endpoint: [{ reference: `Endpoint/${uid}` }],
    },
    {
      resourceType: 'DiagnosticReport',
      id: `${own}-report`,
      status: 'final',
      subject: patient,
      code,
      imagingStudy: [{ reference: `ImagingStudy/${uid}` }],
      effectiveDateTime: '2026-01-19',
    },
    {
      resourceType: 'ServiceRequest',
      id: `${own}-order`,
      status: 'active',
      subject: patient,
      code,
      identifier: [accession],
    },
    {
      resourceType: 'Procedure',
      id: `${own}-scan`,
      status: 'completed',
      subject: patient,
      code,
      basedOn: [{ reference: `ServiceRequest/${own}-order` }],
    },
    {
      resourceType: 'Media',
      id: `${own}-key-image`,
      status: 'completed',
      subject: patient,
      partOf: [{ reference: `ImagingStudy/${uid}` }],
    },
    {
      resourceType: 'DocumentReference',
      id: `${own}-letter`,
      status: 'current',
      subject: patient,
      context: { related: [{ reference: `ImagingStudy/${uid}` }] },
    },
    {
      resourceType: 'Encounter',
      id: `${own}-visit`,
      status: 'finished',
      subject: patient,
      basedOn: [{ reference: `ServiceRequest/${own}-order` }],
    },
    { resourceType: 'Condition', id: `${own}-all-contained`, subject: patient, contained },
    {
      resourceType: 'Condition',
      id: `${own}-contained`,
      subject: patient,
      code,
      contained: [
        { resourceType: 'Patient', name: [{ family: 'Nobody' }] },
        { resourceType: 'Observation', id: 'inner', derivedFrom: [{ reference: `ImagingStudy/${uid}` }] },
        { resourceType: 'ImagingStudy', id: 'study', status: 'available', started: '2002' },
        null,
        { resourceType: 'Basic', id: 'unknown' },
        { resourceType: 'Endpoint', id: 'end' },
        { resourceType: 'DiagnosticReport', id: 'report', imagingStudy: [{ reference: '#study' }] },
      ],
      evidence: [
        'Patient/nobody',
        'https://elsewhere.example/Patient/1',
        '#inner',
        '#missing',
        '#study',
        'Basic/1',
        'not a reference',
        `${patient.reference}/_history/7`,
        `ImagingStudy/${uid}`,
        'ImagingStudy/1.2.3.4.5.6',
      ].map((reference) => ({ detail: [{ reference }] })),
    },
  ];
  return [...[...ofEvery, ...more].map((one) => JSON.stringify(one)), ...oddities(own, patient.reference)];
}

/** Returns resources with values of wrong types, nulls, decimals and texts that are hard to write. */
function oddities(own: string, patient: string): string[] {
  const subject = `"subject":{"reference":"${patient}"}`;
  const study = `"derivedFrom":[{"reference":"ImagingStudy/1.2.3.${own.slice(1)}.10"}]`;
  return [
    String.raw`{"resourceType":"Observation","id":"${own}-decimals",${subject},${study},"status":"final","code":{"text":"Decimals"},"valueQuantity":{"value":1.10,"unit":"mg"},"component":[{"valueQuantity":{"value":1e3}},{"valueQuantity":{"value":12345678901234567.125}},{"valueQuantity":{"value":-0.0}},{"valueQuantity":{"value":"1.10"}},{"valueQuantity":{"value":1E-7}},{"valueQuantity":{"value":100}}]}`,
    String.raw`{"resourceType":"Observation","id":"${own}-texts",${subject},"status":"final","code":{"text":"lone \ud800"},"note":[{"text":"\udc00 first"},{"text":"\ue000"},{"text":"\ue0001.10"},{"text":"a\ue0001.10"},{"text":"\u0000\u001f\u2028\""},{"text":"\ud83d\ude00"},{"text":"\\ue0001"},null],"valueString":"\ue000-1.5e3"}`,
    String.raw`{"resourceType":"Observation","id":"${own}-types",${subject},"status":7,"code":"a text","effectiveDateTime":5,"issued":{},"valueQuantity":[{"value":1}],"interpretation":[null,{"text":["x"]},"y"],"extension":["a text",{"url":"u","valueDecimal":1.50,"valueInteger":1.5},[]],"identifier":{"value":true},"category":[[{"text":"nested"}]],"valueBoolean":"true","valueInteger":"3","component":7,"hasMember":[null,{"reference":5}]}`,
    String.raw`{"resourceType":"RelatedPerson","id":"${own}-person","patient":{"reference":"${patient}"},"active":"yes","birthDate":19700101,"name":[null,{"family":7,"given":["A",null,3,{}],"_given":[null,{"extension":[null]}]},"a text"],"telecom":"a text","photo":[{"size":"1"},{"size":2147483648}],"period":null,"gender":[],"contained":"a text","communication":[{"preferred":0}]}`,
    String.raw`{"resourceType":"Encounter","id":"${own}-odd",${subject},"status":null,"class":[],"type":[{"coding":[{"code":1},null,{"code":"c","userSelected":"no"}]}],"length":{"value":"\ue000x"},"location":[{"location":{"reference":"Location/${own}-Location"}},{"location":null},{"location":"a text"}]}`,
  ];
}
