import { Random } from '../setup/random.ts';
import type { SmallStudy } from '../setup/small-objects.ts';

/** A record and images for tests of tables: with every kind of way from the record to a study, and with wrong turnings. */

interface Made {
  resourceType: string;
  id: string;
  [element: string]: unknown;
}

export const PATIENTS = Array.from({ length: 12 }, (_, at) => `p${at}`);
const CODES = ['44054006', '38341003', '195967001'];
const MODALITIES = ['CT', 'MR', 'US'];
const UID_SYSTEM = 'urn:dicom:uid';

const coded = (system: string, ...codes: string[]) => ({ coding: codes.map((code) => ({ system, code })) });
const identified = (type: string, value: string) => ({ value, type: { coding: [{ code: type }] } });

/** Returns some studies of each patient but the last one, and one of somebody whom the record does not know. */
export function linkedStudies(): (SmallStudy & { owner: string })[] {
  const random = new Random(41);
  return [...PATIENTS.slice(0, -1).flatMap((id) => [id, id]), 'nobody'].map((owner, at) => ({
    owner,
    studyUid: `1.2.${at + 1}`,
    patientId: `MRN-${owner}`,
    // Numbers repeat: those of two patients are not one.
    accessionNumber: `A${at % 15}`,
    modality: random.of(MODALITIES),
    date: `202${at % 5}0101`,
    instances: 1 + (at % 2),
  }));
}

/** Returns a record of the same patients. */
export function linkedRecord(): Made[] {
  const random = new Random(42);
  const studies = linkedStudies();
  return PATIENTS.flatMap((id) => {
    const own = studies.filter(({ owner }) => owner === id);
    return [patientOf(id, random), ...recordOf({ id, own, others: studies, random })];
  });
}

const patientOf = (id: string, random: Random): Made => ({
  resourceType: 'Patient',
  id,
  gender: random.of(['female', 'male']),
  birthDate: `19${50 + random.below(50)}`,
  identifier: [identified('MR', `MRN-${id}`)],
});

interface Making {
  id: string;
  own: readonly SmallStudy[];
  others: readonly SmallStudy[];
  random: Random;
}

function recordOf(making: Making): Made[] {
  return [...findingsOf(making), ...ordersOf(making), ...visitsOf(making)];
}

function findingsOf({ id, own, random }: Making): Made[] {
  const subject = { reference: `Patient/${id}` };
  const conditions = CODES.filter(() => random.chance(0.5)).map((code) => ({
    resourceType: 'Condition',
    id: `${id}-${code}`,
    subject,
    code: coded('http://snomed.info/sct', code),
  }));
  const [first, second = first] = own;
  const observations = ['laboratory', 'vital-signs', 'imaging'].flatMap((category) =>
    [1, 2].map((number) => ({
      resourceType: 'Observation',
      id: `${id}-${category}-${number}`,
      status: 'final',
      subject,
      // Found by the token of its subject alone.
      performer: [{ reference: `Patient/${random.of(PATIENTS)}` }],
      category: [coded('http://terminology.hl7.org/CodeSystem/observation-category', category)],
      code: coded('http://loinc.org', random.of(['4548-4', '8480-6']), 'local'),
      effectiveDateTime: `202${random.below(5)}-01-01`,
      valueQuantity: { value: random.below(100) / 10, unit: '%' },
      ...(category === 'vital-signs' && {
        component: [{ code: coded('http://loinc.org', '8480-6'), valueQuantity: { value: 120 } }],
      }),
      ...(category === 'imaging' && first && measured(id, first, second!, number)),
    })),
  );
  const media = own.map(({ studyUid }, at) => ({
    resourceType: 'Media',
    id: `${id}-media-${at}`,
    status: 'completed',
    subject,
    identifier: [{ system: UID_SYSTEM, value: `urn:oid:${studyUid}.1.1` }],
    content: {},
  }));
  return [...conditions, ...observations, ...media];
}

/** A measurement of an instance, by a reference to Media; or of a series, by a contained selection. */
const measured = (id: string, first: SmallStudy, second: SmallStudy, number: number): object =>
  number === 1
    ? { derivedFrom: [{ reference: `Media/${id}-media-0` }] }
    : {
        contained: [
          { resourceType: 'ImagingSelection', id: 's', studyUid: `urn:oid:${second.studyUid}` },
          { resourceType: 'ImagingSelection', id: 't', seriesUid: `urn:oid:${first.studyUid}.1` },
        ],
        derivedFrom: [{ reference: '#s' }, { reference: '#t' }],
      };

function ordersOf({ id, own, others, random }: Making): Made[] {
  const subject = { reference: `Patient/${id}` };
  const next = PATIENTS[(PATIENTS.indexOf(id) + 1) % PATIENTS.length]!;
  const orders = own.map(({ accessionNumber, studyUid }, at) => ({
    resourceType: 'ServiceRequest',
    id: `${id}-order-${at}`,
    status: 'active',
    intent: 'order',
    subject,
    code: coded('http://radlex.org', random.of(['RPID16', 'RPID30'])),
    ...(at === 0
      ? { identifier: [identified('ACSN', accessionNumber!)] }
      : {
          requisition: { value: accessionNumber! },
          supportingInfo: [{ reference: `ImagingStudy/${own[0]!.studyUid}` }],
        }),
    ...(random.chance(0.3) && { replaces: [{ reference: `ServiceRequest/${studyUid}` }] }),
  }));
  const reports = own.map((study, at) => ({
    resourceType: 'DiagnosticReport',
    id: `${id}-report-${at}`,
    status: 'final',
    subject,
    code: coded('http://loinc.org', '18748-4'),
    basedOn: [
      { reference: `ServiceRequest/${id}-order-${at}` },
      { reference: `ServiceRequest/${next}-order-0` },
    ],
    ...(at === 1 && { imagingStudy: [{ reference: `ImagingStudy/${study.studyUid}` }] }),
    ...(at === 0 && { imagingStudy: [{ reference: `ImagingStudy/${random.of(others).studyUid}` }] }),
  }));
  const procedures = own.map((_, at) => ({
    resourceType: 'Procedure',
    id: `${id}-procedure-${at}`,
    status: 'completed',
    subject,
    code: coded('http://snomed.info/sct', '77477000'),
    // Only a study of the record names the second one, and a visit has nothing else.
    ...(at === 0
      ? { report: [{ reference: `DiagnosticReport/${id}-report-1` }] }
      : { encounter: { reference: `Encounter/${id}-visit-2` } }),
  }));
  const study = own[1] && {
    resourceType: 'ImagingStudy',
    id: `${id}-study`,
    status: 'available',
    subject,
    identifier: [{ system: UID_SYSTEM, value: `urn:oid:${own[1].studyUid}` }],
    modality: [{ code: own[1].modality }],
    procedureReference: { reference: `Procedure/${id}-procedure-1` },
    encounter: { reference: `Encounter/${id}-visit-0` },
  };
  const alone = {
    resourceType: 'ImagingStudy',
    id: `${id}-elsewhere`,
    status: 'available',
    subject,
    modality: [{ code: random.of(MODALITIES) }],
    basedOn: [{ reference: `ServiceRequest/${id}-order-0` }],
  };
  return [
    ...orders,
    ...reports,
    ...procedures,
    ...(study ? [study] : []),
    ...(random.chance(0.5) ? [alone] : []),
  ];
}

function visitsOf({ id, own, random }: Making): Made[] {
  const subject = { reference: `Patient/${id}` };
  const visits = [0, 1, 2].map((at) => ({
    resourceType: 'Encounter',
    id: `${id}-visit-${at}`,
    status: 'finished',
    class: { code: 'AMB' },
    subject,
    ...(at === 1 && own[0] && { basedOn: [{ reference: `ServiceRequest/${id}-order-0` }] }),
  }));
  const documents = own.map(({ studyUid }, at) => ({
    resourceType: 'DocumentReference',
    id: `${id}-document-${at}`,
    status: 'current',
    subject,
    content: [{ attachment: {} }],
    context: {
      encounter: [{ reference: `Encounter/${id}-visit-0` }],
      related: [
        { reference: at === 0 ? `Procedure/${id}-procedure-0` : `https://pacs.example/studies/${studyUid}` },
      ],
    },
  }));
  const medication = {
    resourceType: 'MedicationRequest',
    id: `${id}-medication`,
    status: 'active',
    intent: 'order',
    subject,
    medicationCodeableConcept: coded('http://rxnorm', random.of(CODES)),
  };
  return [...visits, ...documents, medication];
}
