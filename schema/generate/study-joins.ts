import { JOINED_TYPES, joinedTypes, type JoinedType } from '../fhir/joined-types.ts';

/** SDL of the joins of record and images, for `contributions.ts`. An inaccessible field never reaches a client. */

/** Returns the additions of the clinical subgraph: what its resources say of studies, and the lists of a study. */
export function clinicalJoins(): string {
  const lists = joinedTypes.map((type) => {
    const args = [...JOINED_TYPES[type].args.map((name) => `${name}: [String!]`), ...LIST_ARGS].join(' ');
    return `"The ${JOINED_TYPES[type].what} of this study: by UID, by reference or by accession number"
  ${type}List(${args}): [${type}] @requires(fields: "_patientId _accessionNumbers _studyUid")`;
  });
  return `${joinedTypes.map(linksOf).join('\n')}
extend type ImagingStudy @key(fields: "id") {
  _patientId: ID @external
  _accessionNumbers: [String!] @external
  _studyUid: ID @external
  ${lists.join('\n  ')}
}`;
}

const LIST_ARGS = ['_filter: String', 'fhirpath: String', '_sort: [String!]', '_count: Int', '_offset: Int'];

function linksOf(type: JoinedType): string {
  return `extend type ${type} {
  "Logical id of the subject, where it is a patient"
  _patientId: ID @inaccessible
  "Accession numbers"
  _accessionNumbers: [String!] @inaccessible
  "Study Instance UIDs"
  _studyUids: [String!] @inaccessible
}`;
}

/** Returns the additions of the imaging subgraph: the studies of a resource, and what a study says of itself. */
export function imagingJoins(): string {
  const args = ['modality: [String!]', 'started: [String!]', ...LIST_ARGS].join(' ');
  const types = joinedTypes.map(
    (type) => `extend type ${type} @key(fields: "id") {
  _patientId: ID @external
  _accessionNumbers: [String!] @external
  _studyUids: [String!] @external
  "Its studies: by UID, by reference or by accession number"
  ImagingStudyList(${args}): [ImagingStudy] @requires(fields: "_patientId _accessionNumbers _studyUids")
}`,
  );
  return `${types.join('\n')}
extend type ImagingStudy {
  "Logical id of the subject"
  _patientId: ID @inaccessible
  "Accession numbers of the study"
  _accessionNumbers: [String!] @inaccessible
  "Study Instance UID, where it is not the id"
  _studyUid: ID @inaccessible
  "Other studies of the patient with an accession number of this one: a resource that gives only the number belongs to all"
  sameAccession: [ImagingStudy]
}`;
}
