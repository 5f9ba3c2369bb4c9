/** Documents that ask for more than the scopes of a token cover (FG-31). */
import { documentsOf, type Asker, type CorpusDocument } from './corpus.ts';

/** Returns documents that are partly refused to tokens of few scopes. */
export function refusedDocuments({ patient: id, own, members }: Asker): CorpusDocument[] {
  const study = `ImagingStudy(id: "${own}-ImagingStudy")`;
  const named = members.map((type) => `... on ${type} { id }`).join(' ');
  const crossed = members.map((type) => `... on ${type} { id x${type}: meta { versionId } }`).join(' ');
  return documentsOf([
    [
      'references to types that the scopes do not cover',
      `{ ${study} { reasonReference { reference resource { __typename ${named} } } basedOn { resource { __typename ${named} } } contained { __typename ${crossed} } }
         ObservationList { derivedFrom { resource { __typename ${named} } } } }`,
      { caller: 'few scopes', code: 'insufficient_scope' },
    ],
    [
      'joins, pages and what they require, without the scopes',
      `{ List(id: "${own}-all") { id } ConditionConnection { count facets(by: code) { count } } ObservationConnection(_count: 2) { edges { resource { id ImagingStudyList { id DiagnosticReportList { id } } } } }
         ImagingStudyList(_count: 2) { id dose { report } sameAccession { id EncounterList { id } } } Endpoint(id: "none") { address } }`,
      { caller: 'few scopes', code: 'insufficient_scope' },
    ],
    [
      'a patient without the scope of patients',
      `{ Patient(id: "${id}") { id resourceType birthDate name { family } ImagingStudyList(_count: 1) { id subject { resource { ... on Patient { id birthDate } } } } }
         Condition(id: "${own}-contained") { contained { ... on Patient { name { family } ConditionList { id } } } } }`,
      { caller: 'images only', code: 'insufficient_scope' },
    ],
    [
      'a timeline and a trend without scopes of their types',
      `{ Patient(id: "${id}") { timeline(_count: 5) { missing { type code } entries { kind resource { __typename ${named} } observations { id } studies { id } } } trend(code: ["8302-2"]) { series { title } events { kind } } } }`,
      { caller: 'images only', code: 'insufficient_scope' },
    ],
  ]);
}

/** Returns documents that lead to resources of a type in every way, and say their type, or the name of a patient. */
export function pathsTo(type: string, { patient: id, own }: Asker): string[] {
  const what = type === 'Patient' ? 'name { family }' : '__typename';
  const target = `resource { ... on ${type} { ${what} } }`;
  const read = `${type}(id: "${type === 'Patient' ? id : `${own}-${type}`}") { ${what} }`;
  const lists = `${type}List { ${what} } ${type}Connection { edges { resource { ${what} } } }`;
  return [
    `{ ${read} ${type === 'Endpoint' ? '' : lists} }`,
    `{ List(id: "${own}-all") { entry { item { ${target} } } } }`,
    `{ ImagingStudy(id: "${own}-ImagingStudy") { reasonReference { ${target} } subject { ${target} } endpoint { ${target} } } }`,
    `{ ImagingStudyList { subject { ${target} } endpoint { ${target} } } }`,
  ];
}
