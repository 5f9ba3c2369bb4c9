/** Studies of which the record, an archive or both have a half, for the tests of IA-34. */
import type { ImagingStudy, Resource } from 'fhir/r4.js';
import { smallObjects } from './small-objects.ts';

/** Returns the UID of a study by its name in the tables. */
export const uidOf = (name: keyof typeof NUMBERS): string => `1.2.34.${NUMBERS[name]}`;
const NUMBERS = {
  both: 1,
  archived: 2,
  'archive of q': 3,
  'record of q': 4,
  withheld: 5,
  accession: 6,
  'twin 1': 7,
  'twin 2': 8,
  'error with images': 9,
  'cancelled with images': 10,
  registered: 11,
  available: 12,
  cancelled: 13,
  'entered-in-error': 14,
  unknown: 15,
  labelled: 16,
  mammography: 17,
  'of q': 18,
  'registered with images': 19,
  disputed: 20,
  'with series': 21,
};

/** Number of instances of every study in the archive. */
export const INSTANCES = 2;

const archived = (name: keyof typeof NUMBERS, patient: string, accessionNumber?: string) =>
  smallObjects({
    studyUid: uidOf(name),
    patientId: `MRN-${patient}`,
    instances: INSTANCES,
    description: `DICOM ${name}`,
    ...(accessionNumber && { accessionNumber }),
  });

/** Returns the objects of the archive, by file name. */
export function archiveObjects(): Record<string, Buffer> {
  const all = [
    ...archived('both', 'p', 'A1'),
    ...archived('archived', 'p'),
    ...archived('archive of q', 'q'),
    ...archived('record of q', 'p'),
    ...archived('withheld', 'p'),
    ...archived('accession', 'p', 'A6'),
    ...archived('twin 1', 'p', 'A7'),
    ...archived('twin 2', 'p', 'A7'),
    ...archived('error with images', 'p'),
    ...archived('cancelled with images', 'p'),
    ...archived('registered with images', 'p'),
    ...archived('disputed', 'p'),
    ...archived('with series', 'p'),
  ];
  return Object.fromEntries(all.map((bytes, index) => [`${index}.dcm`, bytes]));
}

interface Said extends Partial<ImagingStudy> {
  patient?: string;
  uid?: string;
  accession?: string;
}

function study(id: string, { patient = 'p', uid, accession, ...more }: Said): ImagingStudy {
  return {
    resourceType: 'ImagingStudy',
    id,
    status: 'available',
    subject: { reference: `Patient/${patient}` },
    identifier: [
      ...(uid === undefined ? [] : [{ system: 'urn:dicom:uid', value: `urn:oid:${uid}` }]),
      ...(accession === undefined ? [] : [{ type: { coding: [{ code: 'ACSN' }] }, value: accession }]),
      { system: 'urn:record', value: `record ${id}` },
    ],
    ...more,
  };
}

/** The record's resource of the study `both`. */
export const SAID = {
  reasonCode: [{ text: 'a cough' }],
  note: [{ text: 'was late' }],
  procedureCode: [{ text: 'chest CT' }],
  basedOn: [{ reference: 'ServiceRequest/order' }],
  referrer: { reference: 'Practitioner/doctor' },
  encounter: { reference: 'Encounter/visit' },
} satisfies Partial<ImagingStudy>;

const STATUSES = ['registered', 'available', 'cancelled', 'entered-in-error', 'unknown'] as const;

const MAMMOGRAM = [{ uid: '1.2.34.0', modality: { code: 'MG' } }];

/** Data of the record about the series of the study `with series`. The archive has the first series, too. */
export const SAID_OF_SERIES = {
  both: {
    bodySite: { code: '51185008', system: 'http://snomed.info/sct' },
    laterality: { code: '7771000', system: 'http://snomed.info/sct' },
    specimen: [{ reference: 'Specimen/1' }],
    performer: [{ actor: { reference: 'Practitioner/doctor' } }],
  },
  alone: {
    uid: '1.2.34.21.9',
    number: 7,
    modality: { code: 'SR' },
    description: 'a report',
    numberOfInstances: 5,
    bodySite: { code: 'HEART' },
    instance: [{ uid: '1.2.34.21.9.1', sopClass: { code: 'urn:oid:1.2' } }],
  },
};

/** Returns the resources of the record; `R{name}` is the record's id of a study. */
export function recordResources(): Resource[] {
  const patient = (id: string) => ({
    resourceType: 'Patient',
    id,
    identifier: [{ value: `MRN-${id}`, type: { coding: [{ code: 'MR' }] } }],
  });
  const reference = { reference: 'ImagingStudy/Rboth' };
  const endpoint = [{ reference: '#e' }, { reference: 'Endpoint/elsewhere' }];
  const elsewhere = {
    resourceType: 'Endpoint',
    id: 'e',
    status: 'active',
    address: 'https://elsewhere.example',
  };
  return [
    patient('p'),
    patient('q'),
    {
      resourceType: 'ServiceRequest',
      id: 'order',
      status: 'active',
      intent: 'order',
      subject: { reference: 'Patient/p' },
    },
    {
      resourceType: 'DiagnosticReport',
      id: 'report',
      status: 'final',
      subject: { reference: 'Patient/p' },
      imagingStudy: [reference],
    },
    {
      resourceType: 'DiagnosticReport',
      id: 'bare',
      status: 'final',
      subject: { reference: 'Patient/p' },
      imagingStudy: [{ reference: 'ImagingStudy/Rbare' }],
    },
    study('Rboth', {
      uid: uidOf('both'),
      ...SAID,
      endpoint,
      contained: [elsewhere] as never,
      meta: { source: 'urn:ris', lastUpdated: '2099-01-01T00:00:00+01:00' },
    }),
    study('Rarchive-of-q', { uid: uidOf('archive of q'), note: [{ text: 'of p' }] }),
    study('Rrecord-of-q', { uid: uidOf('record of q'), patient: 'q', note: [{ text: 'of q' }] }),
    study('Rwithheld', { uid: uidOf('withheld') }),
    study('Raccession', { accession: 'A6', note: [{ text: 'by accession' }] }),
    study('Rtwin', { accession: 'A7' }),
    study('Rerror', { uid: uidOf('error with images'), status: 'entered-in-error' }),
    study('Rcancelled', { uid: uidOf('cancelled with images'), status: 'cancelled' }),
    study('Rregistered', { uid: uidOf('registered with images'), status: 'registered' }),
    ...STATUSES.map((status) =>
      study(`only-${status}`, {
        uid: uidOf(status),
        status,
        numberOfSeries: 1,
        endpoint,
        contained: [elsewhere] as never,
      }),
    ),
    study('Rlabelled', { uid: uidOf('labelled'), meta: { security: [{ code: 'R' }] } }),
    study('Rmammography', { uid: uidOf('mammography'), series: MAMMOGRAM }),
    study('Rdisputed', { uid: uidOf('disputed'), series: MAMMOGRAM, modality: [{ code: 'MG' }] }),
    study('Rseries', {
      uid: uidOf('with series'),
      numberOfSeries: 9,
      numberOfInstances: 90,
      series: [
        {
          ...SAID_OF_SERIES.both,
          uid: `${uidOf('with series')}.1`,
          number: 8,
          modality: { code: 'XX' },
          numberOfInstances: 9,
          endpoint,
          instance: [{ uid: '1.2.34.21.9.2', sopClass: { code: 'urn:oid:1.2' } }],
        },
        { ...SAID_OF_SERIES.alone, endpoint },
      ],
    }),
    study('Rbare', { note: [{ text: 'no UID' }] }),
    study('Rof-q', { uid: uidOf('of q'), patient: 'q' }),
  ] as Resource[];
}
