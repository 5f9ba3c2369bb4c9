/**
 * The types of the record that are joined with studies (FG-9), as data: each has `ImagingStudyList`, and ImagingStudy has
 * a list of each. The SDL of both subgraphs and their resolvers are made from it.
 */
export const JOINED_TYPES = {
  DiagnosticReport: { what: 'reports', args: ['category', 'code', 'date', 'status'] },
  ServiceRequest: { what: 'orders', args: ['category', 'code', 'status'] },
  Procedure: { what: 'procedures', args: ['category', 'code', 'date', 'status'] },
  Observation: { what: 'measurements and findings', args: ['category', 'code', 'date', 'status'] },
  Media: { what: 'pictures and recordings', args: ['created', 'modality', 'status', 'type'] },
  DocumentReference: { what: 'documents', args: ['category', 'date', 'status', 'type'] },
  Encounter: { what: 'encounters', args: ['class', 'date', 'status', 'type'] },
} as const satisfies Record<string, { what: string; args: readonly string[] }>;

export type JoinedType = keyof typeof JOINED_TYPES;

export const joinedTypes = Object.keys(JOINED_TYPES) as JoinedType[];

/** Parameters of ImagingStudy that `_include` follows into the record, and the type to which each leads. */
export const STUDY_INCLUDES: Readonly<Record<string, string>> = {
  basedon: 'ServiceRequest',
  encounter: 'Encounter',
  patient: 'Patient',
  subject: 'Patient',
};

const PEOPLE = ['Practitioner', 'PractitionerRole'];

/** Parameters of ImagingStudy whose own references lead into the record, and the types that they may name in R4. */
export const STUDY_REFERENCES = {
  interpreter: PEOPLE,
  performer: [...PEOPLE, 'Organization', 'CareTeam', 'Patient', 'Device', 'RelatedPerson'],
  referrer: PEOPLE,
} as const satisfies Record<string, readonly string[]>;

export type StudyReference = keyof typeof STUDY_REFERENCES;

/**
 * The parameters of R4 by which `_revinclude` adds resources of the record to studies, and `_has` finds studies. `Media:based-on`
 * names the order of both. R4 has none that leads from DiagnosticReport or Procedure to a study: `imaging-study` is our own
 * for the element of that name.
 */
export const STUDY_REVINCLUDES: readonly string[] = [
  'DiagnosticReport:imaging-study',
  'DocumentReference:related',
  'Media:based-on',
  'Observation:derived-from',
  'Observation:part-of',
];
