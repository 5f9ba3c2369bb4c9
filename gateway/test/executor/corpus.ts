/** The documents of the corpus: each by hand for a rule, and generated ones. */
import type { GraphQLSchema } from 'graphql';
import { Random } from '../setup/random.ts';
import { generatedDocument, type Document, type Wanted } from './documents.ts';

/** Kinds of tokens that ask: one patient's, with all scopes, few, or two; a user's for both patients; or a system's for all. */
export type Caller = 'patient' | 'few scopes' | 'images only' | 'user' | 'system';

/**
 * Where the stock gateway is wrong.
 * - `positions`: it counts objects for which it does not ask the other subgraph, so that the path of an error names a
 *   neighbour in the list.
 * - `audit`: where a condition with a variable holds for all fields of a request to a subgraph, it drops conditions with
 *   literals below, and reads what is skipped.
 * - `order`: it puts fragments of two selections of one field together, so that the fields between them come later than
 *   in the document (GraphQL §7.2.2).
 * - `hidden`: where a field needs fields of an object that is not there, the paths of its errors name those fields, which
 *   nobody asked for (`_patientId`), and the field itself is null without an error.
 */
export type Wrong = 'positions' | 'audit' | 'order' | 'hidden';

export interface CorpusDocument extends Document {
  what: string;
  caller: Caller;
  /** True for the tenant whose second archive does not answer. */
  isHalved: boolean;
  isGenerated: boolean;
  /** A code that an error of the answer has. */
  code?: string;
  /** Fault of the stock gateway. */
  wrong?: Wrong;
  /**
   * True where the stitched schema has other data: it leaves out a field that needs fields of the other subgraph
   * (`@requires`) for all objects of a list, if one of them cannot be read there.
   */
  isBeyondStitching?: boolean;
}

/** @param own begins the ids of the patient's hand-written resources; @param other id of another patient */
export interface Asker extends Wanted {
  own: string;
  other: string;
  /** Name of each type in the union of resources. */
  members: readonly string[];
}

export type Row = [what: string, query: string, more?: Partial<Omit<CorpusDocument, 'what' | 'query'>>];

/** Returns the documents that are written by hand. */
export const handWritten = (asker: Asker): CorpusDocument[] => documentsOf(rows(asker));

/** Returns the documents of some rows. */
export function documentsOf(some: readonly Row[]): CorpusDocument[] {
  return some.map(([what, query, more]) => ({
    what,
    query,
    variables: {},
    caller: 'patient',
    isHalved: false,
    isGenerated: false,
    ...more,
  }));
}

/** Returns the generated documents of a range of numbers. */
export function generated(
  schema: GraphQLSchema,
  asker: Asker,
  [first, end]: readonly [number, number],
): CorpusDocument[] {
  return Array.from({ length: end - first }, (_, index) => {
    const random = new Random(first + index);
    const document = generatedDocument(schema, asker, random);
    const caller = random.of<Caller>(['patient', 'patient', 'few scopes', 'images only', 'user', 'system']);
    return {
      ...document,
      what: `generated ${first + index}`,
      isGenerated: true,
      caller,
      isHalved: random.chance(0.05),
    };
  });
}

function rows(asker: Asker): Row[] {
  const { patient: id, own, other, members } = asker;
  const uid = `1.2.3.${own.slice(1)}.10`;
  const study = `ImagingStudy(id: "${own}-ImagingStudy")`;
  // A field of each type that only the other subgraph has, under a name of its own.
  const crossed = members.map((type) => `... on ${type} { id x${type}: meta { versionId } }`).join(' ');
  const named = members.map((type) => `... on ${type} { id }`).join(' ');
  return [
    [
      'each type that a resource refers to',
      `{ List(id: "${own}-all") { entry { item { reference resource { __typename ${crossed} } } } } }`,
      { code: 'not_found' },
    ],
    [
      'each type that a study refers to',
      `{ ${study} { reasonReference { resource { __typename ${crossed} } } } }`,
      { code: 'not_found' },
    ],
    [
      'each type in a resource',
      `{ Condition(id: "${own}-all-contained") { contained { __typename ${named} } } }`,
    ],
    ['each type in a study', `{ ${study} { contained { __typename ${named} } } }`],
    [
      'each type in a study, with fields of the other subgraph',
      `{ ${study} { contained { __typename ${crossed} } } }`,
      { code: 'not_found' },
    ],
    [
      'each type for a system',
      `{ List(id: "${own}-all") { entry { item { resource { __typename ${crossed} } } } } }`,
      { caller: 'system' },
    ],
    [
      'a study of a resource, and the resources of that study',
      `{ Media(id: "${own}-key-image") { partOf { resource { __typename ... on ImagingStudy { id started
         DiagnosticReportList { id } ObservationList { id } measurements { id } sameAccession { id } } } } } }`,
    ],
    [
      'resources of a study, and the studies of these resources',
      `{ ${study} { reasonReference { resource(optional: true) { __typename
         ... on DiagnosticReport { ImagingStudyList { id } priors { id } } ... on Encounter { e: ImagingStudyList { id } } } } } }`,
    ],
    [
      'resources of studies that are away, and back',
      `{ Condition(id: "${own}-contained") { evidence { detail { reference resource { __typename
         ... on ImagingStudy { id status ServiceRequestList { id } } ... on Observation { id ImagingStudyList { id } } } } } } }`,
      { code: 'not_found', wrong: 'hidden', isBeyondStitching: true },
    ],
    [
      'contained resources, their studies and their references',
      `{ Condition(id: "${own}-contained") { contained { __typename ... on Patient { name { family } ImagingStudyList { id } }
         ... on Observation { o: id a: ImagingStudyList { id } } ... on ImagingStudy { s: id b: started c: ObservationList { id } }
         ... on Endpoint { e: id address } ... on DiagnosticReport { r: id d: ImagingStudyList { id } } } } }`,
      { code: 'not_found', wrong: 'hidden' },
    ],
    [
      'joins of each type with studies',
      `{ ImagingStudyList(_count: 4, _sort: "-started") { id sameAccession { id } DiagnosticReportList { id } ServiceRequestList { id }
         ProcedureList { id } ObservationList { id } MediaList { id } DocumentReferenceList { id } EncounterList { id } } }`,
    ],
    [
      'joins of studies with each type',
      `{ DiagnosticReport(id: "${own}-report") { ImagingStudyList { id } } ServiceRequest(id: "${own}-order") { ImagingStudyList { id } }
         Procedure(id: "${own}-scan") { ImagingStudyList { id } } Media(id: "${own}-key-image") { ImagingStudyList { id } }
         DocumentReference(id: "${own}-letter") { ImagingStudyList { id } } Encounter(id: "${own}-visit") { ImagingStudyList { id } }
         Observation(id: "${own}-decimals") { ImagingStudyList { id } } }`,
    ],
    [
      'pages',
      `{ ObservationConnection(_count: 2) { count offset pagesize first previous next last edges { mode score resource { id } } } ImagingStudyConnection(_count: 2) { count next edges { resource { id } } } }`,
    ],
    [
      'facets of the record',
      `{ ObservationConnection { facets(by: code, _count: 3) { value system display count others } } Patient(id: "${id}") { EncounterConnection { facets(by: status) { value count } } } }`,
    ],
    [
      'facets of studies',
      `{ ImagingStudyConnection { facets(by: modality) { value count } facets2: facets(by: startedYear) { value count } } }`,
    ],
    [
      'decimals',
      `{ Observation(id: "${own}-decimals") { valueQuantity { value unit } component { valueQuantity { value } } } ${study} { id } }`,
      { code: 'bad_gateway' },
    ],
    [
      'lone surrogates and private-use characters',
      `{ Observation(id: "${own}-texts") { code { text } valueString note { text } } }`,
    ],
    [
      'values of wrong types',
      `{ Observation(id: "${own}-types") { status code { text } effectiveDateTime issued valueQuantity { value } interpretation { text }
         extension { url valueDecimal valueInteger } identifier { value } category { text coding { code } } valueBoolean valueInteger
         component { id } hasMember { reference resource { __typename } } } }`,
      { code: 'bad_gateway' },
    ],
    [
      'nulls and wrong types in lists',
      `{ RelatedPerson(id: "${own}-person") { active birthDate name { family given _given { id extension { url } } } telecom { value }
         photo { size } period { start } gender contained { __typename } communication { preferred } } }`,
      { code: 'bad_gateway' },
    ],
    [
      'odd parts',
      `{ Encounter(id: "${own}-odd") { status class { code } type { coding { code userSelected } } length { value } location { location { reference resource { __typename } } } } }`,
      { code: 'internal' },
    ],
    [
      'an element with arguments that a wrong type has',
      `{ RelatedPerson(id: "${own}-person") { telecom(system: "phone") { value } name(use: "official") { family } } }`,
    ],
    [
      'fields that the scopes do not cover',
      `{ Patient(id: "${id}") { id birthDate ConditionList { id } ImagingStudyList { id } } }`,
      { caller: 'few scopes', code: 'insufficient_scope' },
    ],
    [
      'a study without the scope of its reports',
      '{ ImagingStudyList(_count: 2) { id DiagnosticReportList { id } measurements { id } priors { id } } }',
      { caller: 'few scopes', code: 'insufficient_scope' },
    ],
    [
      'another patient',
      `{ Patient(id: "${other}") { id name { family } ImagingStudyList { id } ImagingStudyConnection { count } } }`,
      { code: 'forbidden' },
    ],
    [
      'another patient for a user',
      `{ a: Patient(id: "${other}") { id name { family } ImagingStudyList { id } } b: Patient(id: "${id}") { id ImagingStudyList { id } } }`,
      { caller: 'user' },
    ],
    [
      'ids that do not exist',
      '{ Patient(id: "nobody") { id ImagingStudyList { id } } ImagingStudy(id: "1.2.3.4.5") { id ObservationList { id } } Endpoint(id: "none") { address } Observation(id: "none") { id } }',
      { code: 'not_found' },
    ],
    [
      'arguments that are refused',
      `{ ObservationList(_count: -1) { id } a: ObservationList(date: "no date") { id } ImagingStudyList(_sort: "no") { id } Patient(id: "${id}") { name(_count: -1) { family } name2: name(fhirpath: "given(") { family } } }`,
      { code: 'invalid_request' },
    ],
    [
      'a parameter that is not supported',
      '{ ConditionList(_sort: "no-such-key") { id } }',
      { code: 'unsupported_parameter' },
    ],
    [
      'an archive that does not answer',
      `{ ImagingStudyList(_count: 2) { id series { uid } DiagnosticReportList { id } } Patient(id: "${id}") { id ImagingStudyConnection { count } } }`,
      { isHalved: true, code: 'unavailable' },
    ],
    [
      'a study of one of two archives',
      `{ ImagingStudy(id: "${uid}") { id numberOfInstances priors { id } dose { report } measurements { valueQuantity { value } } } }`,
      { isHalved: true, code: 'unavailable' },
    ],
    [
      'fragments, named and inline, on the union and on its types',
      `{ List(id: "${own}-all") { entry { item { resource(type: Observation, optional: true) { ...U ... on ResourceUnion { __typename ... on Observation { id } } ... { __typename } } } } } }
       fragment U on ResourceUnion { kind: __typename ... on Observation { status ...O } } fragment O on Observation { code { text } status }`,
    ],
    [
      'conditions by variables at the root and below',
      `query ($yes: Boolean! = true, $no: Boolean!) { one: Patient(id: "${id}") @include(if: $yes) { id @skip(if: $no) birthDate @skip(if: $yes)
         ... @include(if: $no) { gender } ... on Patient @skip(if: $no) { active } ImagingStudyList(_count: 1) @include(if: $yes) { id description @include(if: $no) } }
         two: ImagingStudyList @skip(if: $yes) { id } }`,
      { variables: { no: false } },
    ],
    [
      'fragments in two selections of one field',
      `{ Patient(id: "${id}") { id ... on Patient { gender } } Patient(id: "${id}") { birthDate ... on Patient { active } } }`,
      { wrong: 'order' },
    ],
    [
      'a condition by a literal below one by a variable',
      `query ($no: Boolean! = false) { Patient(id: "${id}") @skip(if: $no) { id ConditionList @skip(if: true) { id } } }`,
      { wrong: 'audit' },
    ],
    [
      'conditions by literals',
      `{ Patient(id: "${id}") { id @include(if: true) birthDate @skip(if: true) ... @skip(if: false) { gender } ... @include(if: false) { active } ConditionList @skip(if: true) { id } } }`,
    ],
    [
      'variables: given, by default, null and left out',
      `query ($id: ID!, $count: Int = 2, $none: Int, $null: String, $codes: [String!] = ["8302-2"]) { Patient(id: $id) { id
         a: ObservationList(_count: $count, code: $codes) { id } b: ConditionList(_count: $none, fhirpath: $null) { id } } }`,
      { variables: { id, null: null } },
    ],
    [
      'one name selected several times',
      `{ Patient(id: "${id}") { id } Patient(id: "${id}") { name { family } ImagingStudyList(_count: 1) { id } } ...Q } fragment Q on Query { Patient(id: "${id}") { name { given } ImagingStudyList(_count: 1) { started series { uid } } } }`,
    ],
    [
      'aliases that are names of other fields',
      `{ id: Patient(id: "${id}") { name: id id: birthDate birthDate: name { family: given given: family } ImagingStudyList: ConditionList(_count: 1) { id } } }`,
    ],
    [
      'an entity with its id under another name',
      `{ Patient(id: "${id}") { key: id ImagingStudyList(_count: 1) { key: id ObservationList { key: id } } } }`,
    ],
    [
      'an entity without any field of its own',
      `{ Patient(id: "${id}") { ImagingStudyList(_count: 1) { ServiceRequestList { ImagingStudyList { __typename } } } } }`,
    ],
    [
      'a timeline and a trend',
      `{ Patient(id: "${id}") { timeline(_count: 5) { next missing { type } entries { kind date title resource { __typename } observations { id } studies { id series { uid } } } } trend(code: ["8302-2"]) { series { title unit points { date value text } } events { kind date } } } }`,
    ],
    [
      'expressions',
      `{ Patient(id: "${id}") { name(fhirpath: "family = 'Family1'") { family } ConditionList(fhirpath: "code.text.exists()", _count: 2) { id } ImagingStudyList(fhirpath: "series.count() > 1", _count: 1) { id series(fhirpath: "modality.code = 'SR'") { uid } } } }`,
    ],
    [
      'instances and their metadata',
      `{ ImagingStudyList(_count: 1) { series { rows columns metadata(keywords: ["Modality"]) renderedUrl(window: "40,400") instance(_count: 1) { uid transferSyntax metadata } } } }`,
    ],
    [
      'endpoints',
      `{ ImagingStudyList(_count: 1) { endpoint { reference resource { __typename ... on Endpoint { id status address connectionType { code } } } } } }`,
    ],
    ['nothing but names of types', '{ __typename a: __typename ...F } fragment F on Query { __typename }'],
    [
      'references to and fro',
      `{ ImagingStudyList(_count: 2) { subject { resource { ... on Patient { id ImagingStudyList(_count: 1) { subject { resource { ... on Patient { birthDate } } } } } } } } }`,
    ],
  ];
}
