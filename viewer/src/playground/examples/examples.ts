/** Queries that run on the demonstration as they are, each with the question that it answers. */

import { variablesIn } from '../answer.ts';

export interface Example {
  id: string;
  /** The question that it answers, in the words of the person who asks. */
  question: string;
  /** The lesson of it. */
  hint: string;
  /** `several`: it asks about all patients that the token opens. */
  whose: 'one' | 'several';
  /** Scopes without their level, as `@requiresScopes` of the graph has them: without one, its part of the answer is refused. */
  scopes: readonly string[];
  query: string;
  /** The same by REST: a path below the tenant. `{id}` is the token's patient. */
  rest?: string;
  /** `id`, where the query has it, is the token's patient. */
  variables?: Readonly<Record<string, unknown>>;
}

export const EXAMPLES: readonly Example[] = [
  {
    id: 'record-and-images',
    question: 'What does the record of a patient say, and which images are there?',
    hint: 'The record and the images live in two systems: one request gets both.',
    rest: '/fhir/Patient/{id}/$everything?_type=Patient,Condition,ImagingStudy',
    whose: 'one',
    scopes: ['Patient.r', 'Condition.s', 'ImagingStudy.s'],
    query: `query RecordAndImages($id: ID!) {
  Patient(id: $id) {
    name { given family }
    birthDate
    ConditionList { code { text coding { display } } onsetDateTime }
    ImagingStudyList {
      started
      description
      modality { code }
      numberOfInstances
      series { description modality { code } numberOfInstances thumbnailUrl }
    }
  }
}`,
  },
  {
    id: 'timeline',
    question: 'What happened to the patient, newest first?',
    hint: 'Visits, reports, studies, results and treatments in one list. The value of “next” is the _cursor of the next page.',
    whose: 'one',
    scopes: ['ImagingStudy.s'],
    query: `query Timeline($id: ID!) {
  Patient(id: $id) {
    timeline(_count: 50) {
      next
      missing { type message }
      entries { kind date end title studies { id description } }
    }
  }
}`,
  },
  {
    id: 'reports-with-images',
    question: 'Which report belongs to which study?',
    hint: 'Reports of the record are joined with the studies of the archive, by reference, UID or accession number.',
    rest: '/fhir/DiagnosticReport?patient={id}&_sort=-date',
    whose: 'one',
    scopes: ['DiagnosticReport.s', 'ImagingStudy.s'],
    query: `query ReportsWithImages($id: ID!) {
  Patient(id: $id) {
    DiagnosticReportList {
      effectiveDateTime
      status
      code { text coding { display } }
      conclusion
      ImagingStudyList { id description started numberOfInstances }
    }
  }
}`,
  },
  {
    id: 'results-around-a-study',
    question: 'Which laboratory results were not normal around a CT?',
    hint: 'Two dates bound one range. FHIRPath keeps those that are high or low.',
    rest: '/fhir/Observation?patient={id}&category=laboratory&date=ge2026-09-14&date=le2026-11-14',
    whose: 'one',
    scopes: ['Observation.s', 'ImagingStudy.s'],
    query: `query ResultsAroundStudy($id: ID!, $around: [String!]) {
  Patient(id: $id) {
    ObservationList(
      category: ["laboratory"]
      date: $around
      fhirpath: "interpretation.coding.where(code = 'H' or code = 'L').exists()"
    ) {
      effectiveDateTime
      code { text coding { display } }
      valueQuantity { value unit }
      interpretation { coding { code } }
      referenceRange { low { value } high { value } }
    }
    ImagingStudyList(started: $around) { started description }
  }
}`,
    variables: { around: ['ge2026-09-14', 'le2026-11-14'] },
  },
  {
    id: 'trend',
    question: 'How did a result change, and when were images taken?',
    hint: 'Values in one unit, each with its usual range, and studies on the same axis. Choose the list “…series.points”, then “Chart”.',
    whose: 'one',
    scopes: ['Observation.s'],
    query: `query Trend($id: ID!) {
  Patient(id: $id) {
    trend(code: ["http://loinc.org|2160-0"]) {
      series { title unit points { date value low high flag } }
      events { kind date title }
    }
  }
}`,
  },
  {
    id: 'tumour-over-time',
    question: 'How did the measured lesions change?',
    hint: 'Numbers of structured reports (DICOM SR), of each CT study.',
    whose: 'one',
    scopes: ['ImagingStudy.s', 'ImagingStudy.r', 'Observation.s'],
    query: `query MeasurementsOverTime($id: ID!) {
  Patient(id: $id) {
    ImagingStudyList(modality: ["CT"], _sort: ["started"]) {
      started
      description
      measurements {
        code { text }
        valueQuantity { value code }
        bodySite { text }
        effectiveDateTime
      }
    }
  }
}`,
  },
  {
    id: 'ct-since',
    question: 'Which CT studies are there since a date?',
    hint: 'Of all patients that the token opens. A page has a cursor for the next one.',
    rest: '/fhir/ImagingStudy?modality=CT&started=ge2024-01-01&_sort=-started',
    whose: 'several',
    scopes: ['ImagingStudy.s'],
    query: `query CtSince($since: [String!]) {
  ImagingStudyConnection(modality: ["CT"], started: $since, _sort: ["-started"], _count: 50) {
    count
    next
    edges {
      resource { id started description numberOfInstances subject { reference } }
    }
  }
}`,
    variables: { since: ['ge2024-01-01'] },
  },
  {
    id: 'condition-without-images',
    question: 'Who has high blood pressure, and had no MRI?',
    hint: 'The argument _has finds patients by what refers to them. Those whose list “mri” is empty had none.',
    rest: '/fhir/Patient?_has:Condition:patient:code=http://snomed.info/sct|59621000',
    whose: 'several',
    scopes: ['Patient.s', 'ImagingStudy.s'],
    query: `query ConditionWithoutImages($has: [String!]) {
  PatientList(_has: $has, _count: 50) {
    id
    name { given family }
    birthDate
    mri: ImagingStudyList(modality: ["MR"]) { id started }
  }
}`,
    variables: { has: ['Condition:patient:code=http://snomed.info/sct|59621000'] },
  },
  {
    id: 'modality-by-year',
    question: 'Which modalities were used in which year?',
    hint: 'Facets count the values of all matches without reading them. A study without a date is in no year, and is in the count of all; a study with two modalities counts for both.',
    whose: 'several',
    scopes: ['ImagingStudy.s'],
    query: `query ModalitiesByYear {
  all: ImagingStudyConnection {
    count
    modalities: facets(by: modality) { value count }
    years: facets(by: startedYear) { value count }
  }
  CT: ImagingStudyConnection(modality: ["CT"]) { years: facets(by: startedYear) { value count } }
  MR: ImagingStudyConnection(modality: ["MR"]) { years: facets(by: startedYear) { value count } }
  US: ImagingStudyConnection(modality: ["US"]) { years: facets(by: startedYear) { value count } }
  nuclear: ImagingStudyConnection(modality: ["NM", "PT"]) { years: facets(by: startedYear) { value count } }
  xRay: ImagingStudyConnection(modality: ["CR", "DX", "MG", "RF", "XA"]) {
    years: facets(by: startedYear) { value count }
  }
}`,
  },
  {
    id: 'diagnosis-and-ct',
    question: 'Who has diabetes, and had a CT of the chest?',
    hint: 'The argument _has finds the patients with the diagnosis, and “ct” counts the studies of each: those with 0 had none. The body part is a code of SNOMED CT, or CHEST as in DICOM.',
    rest: '/fhir/ImagingStudy?patient._has:Condition:patient:code=http://snomed.info/sct|44054006&modality=CT&bodysite=51185008',
    whose: 'several',
    scopes: ['Patient.s', 'ImagingStudy.s'],
    query: `query DiagnosisAndCt($has: [String!]) {
  PatientList(_has: $has) {
    id
    name { given family }
    birthDate
    ct: ImagingStudyConnection(modality: ["CT"], bodysite: ["51185008"]) { count }
  }
}`,
    variables: { has: ['Condition:patient:code=http://snomed.info/sct|44054006'] },
  },
];

/** Returns the variables of an example as text, with the token's patient. */
export function variablesOf(example: Example, patient: string | undefined): string {
  const variables = { ...(/\$id\b/.test(example.query) && { id: patient ?? '' }), ...example.variables };
  return Object.keys(variables).length > 0 ? JSON.stringify(variables, null, 2) : '';
}

/** Returns variables with the patient where `id` is empty; undefined where nothing is to be filled in. */
export function withPatient(query: string, variables: string, patient: string): string | undefined {
  if (!/\$id\b/.test(query)) return undefined;
  const known = variablesIn(variables);
  return !known || known['id'] ? undefined : JSON.stringify({ ...known, id: patient }, null, 2);
}
