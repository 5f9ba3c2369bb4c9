import { parse, visit, type DocumentNode, type FieldNode, type ValueNode } from 'graphql';
import { isDottedUid } from '../../../schema/dicom/dicom.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import { compartmentNamed, resourceOf, studyNamed, type AskedRequest } from '../../../schema/http/served.ts';
import { isRecord, namedDocument, recordOf } from '../../federation/request/sent-document.ts';
import { DEFAULT_LIMITS } from '../../federation/document/limits.ts';
import type { Named } from './asked-patients.ts';

/** Largest number of patients, and of studies, that one request may name. */
const MOST = 10;
/** Fields that read a resource by `id`. */
const BY_ID = /^(Patient|ImagingStudy|Endpoint)$/;
const PATIENT_SEARCH = /^Patient(List|Connection)$/;
/** Literals that may be the id of a patient or study; `Patient(id: true)` at `$graphql` reads the id `true`. */
const LITERALS: ReadonlySet<string> = new Set([
  'StringValue',
  'EnumValue',
  'IntValue',
  'FloatValue',
  'BooleanValue',
]);
const PARAMETER = /^(patient|subject)(:Patient)?$/;

/** Rules by which GraphQL documents are read when they are executed. */
export interface DocumentRules {
  /** Largest number of lexical tokens. */
  maxTokens: number;
  /** Returns a document that was parsed before. */
  known?: (text: string) => DocumentNode | undefined;
  /** Returns the trusted or persisted document with this SHA-256, in hexadecimal (FG-13). */
  named: (sha256: string) => string | undefined;
}

/** Values in a GraphQL request that may name patients or studies. */
export interface NamedInGraphql {
  values: readonly string[];
  /** The values by which studies are read: UIDs, or logical ids of the record. */
  studies: readonly string[];
  /** False when the document is unknown or does not parse, so that nothing is executed. */
  runs: boolean;
}

/**
 * Returns the patients that a request names: as the resource that it reads, by the compartment that it searches, by `patient=`
 * or `subject=` in the URL, a form or a Parameters resource, by `_id=` of a Patient search, or in a GraphQL request. They are
 * only candidates: the EHR decides whether the caller may see them.
 */
export function namedPatients(request: AskedRequest, graphql = namedInGraphql(request)): string[] {
  const { query, body, params, serves } = request;
  const form = typeof body === 'string' || Array.isArray(body) ? new URLSearchParams(body as string) : [];
  const parameters = [...query, ...form, ...parametersOf(body)];
  const ofPatients = resourceOf(request) === 'Patient';
  const searched = ofPatients && serves.interaction === 'search';
  const named = [
    ofPatients ? params['id'] : undefined,
    compartmentNamed(request),
    ...parameters
      .filter(([name]) => PARAMETER.test(name) || (searched && name === '_id'))
      .flatMap(([, value]) => value.split(',')),
    ...graphql.values,
  ];
  const ids = named.map((value) => value?.replace(/^.*\/?Patient\//, ''));
  return [...new Set(ids)].filter((id): id is string => id !== undefined && FHIR_ID.test(id)).slice(0, MOST);
}

/** Returns the text values of a Parameters resource, which names what an operation is about (R4 §3.2.0). */
function parametersOf(body: unknown): [name: string, value: string][] {
  const { resourceType, parameter } = isRecord(body) ? body : {};
  if (resourceType !== 'Parameters' || !Array.isArray(parameter)) return [];
  return parameter.filter(isRecord).flatMap(({ name, ...rest }) => {
    const [value] = Object.values(rest);
    const text = isRecord(value) ? value['reference'] : value;
    return isText(name) && isText(text) ? [[name, text]] : [];
  });
}

/**
 * Returns the studies that a request retrieves or reads by UID: at the place that its route declares, or in a GraphQL
 * request. A link names its study by the path of a retrieval. An ImagingStudy that is read may be named by the logical id of
 * the record instead (IA-34). They are only candidates, like the patients.
 */
export function namedStudies(request: AskedRequest, graphql = namedInGraphql(request)): string[] {
  const named = studyNamed(request)?.replace(/^(?:https?:[^?]*\/)?studies\/([^/?]*).*$/s, '$1');
  const { resource, interaction } = request.serves;
  const isRead = resource === 'ImagingStudy' && interaction !== 'retrieve' && named !== undefined;
  const logical = new Set(isRead ? [named, ...graphql.studies] : graphql.studies);
  return [...new Set([named, ...graphql.values])]
    .filter((id) => id !== undefined)
    .filter((id) => isDottedUid(id) || (logical.has(id) && FHIR_ID.test(id)))
    .slice(0, MOST);
}

/**
 * Returns the values in a GraphQL request that may name patients or studies: arguments that read by id or search by patient,
 * in the operation that runs and in all fragments, and all variables with text.
 * @param documents the rules of the execution, so that the same document is read here
 */
function namedInGraphql(
  { serves, query, body }: AskedRequest,
  documents: DocumentRules = { maxTokens: DEFAULT_LIMITS.tokens, named: () => undefined },
): NamedInGraphql {
  if (serves.interaction !== 'graphql') return { values: [], studies: [], runs: true };
  const request = isRecord(body) ? body : Object.fromEntries(query);
  const document = documentOf(request, documents);
  const { literals, variables, studies } = document
    ? namingIn(document, request['operationName'])
    : { literals: [], variables: new Set<string>(), studies: NO_STUDIES };
  const sent = recordOf(request['variables']);
  const given = Object.entries(sent).flatMap(([name, value]) =>
    listed(value).filter((one) => isText(one) || (typeof one === 'number' && variables.has(name))),
  );
  const ofStudies = [...studies.variables].flatMap((name) => listed(sent[name] ?? []));
  // Alternatives are joined by commas (FHIR R4 §3.1.1.4.3).
  const values = [...literals, ...given].flatMap((value) => String(value).split(','));
  return { values, studies: [...studies.literals, ...ofStudies.map(String)], runs: document !== undefined };
}

const NO_STUDIES = { literals: [] as string[], variables: new Set<string>() };

function documentOf(
  sent: Record<string, unknown>,
  { maxTokens, known, named }: DocumentRules,
): DocumentNode | undefined {
  const { id } = namedDocument(sent);
  const text = sent['query'] ?? (id === undefined ? undefined : named(id));
  if (typeof text !== 'string') return undefined;
  try {
    return known?.(text) ?? parse(text, { noLocation: true, maxTokens });
  } catch {
    return undefined; // The execution reports the error.
  }
}

/** Returns the literals that may name a patient or study, and the variables in such places; and those that read a study. */
function namingIn(document: DocumentNode, operationName: unknown) {
  const literals: string[] = [];
  const variables = new Set<string>();
  const studies = { literals: [] as string[], variables: new Set<string>() };
  const defaults = new Map<string, ValueNode>();
  const take = (value: ValueNode, into = { literals, variables }) => {
    // A single value counts as a list (GraphQL §3.11), and a number as an id (§3.5.5); `$graphql` takes bare words too.
    for (const node of value.kind === 'ListValue' ? value.values : [value]) {
      if (node.kind === 'Variable') into.variables.add(node.name.value);
      if (LITERALS.has(node.kind) && 'value' in node) into.literals.push(String(node.value));
    }
  };
  visit(document, {
    OperationDefinition: ({ name }) =>
      typeof operationName === 'string' && name?.value !== operationName ? false : undefined,
    VariableDefinition({ variable, defaultValue }) {
      if (!defaultValue) return;
      take(defaultValue);
      defaults.set(variable.name.value, defaultValue);
    },
    Field(field) {
      for (const { name, value } of field.arguments ?? []) {
        if (!isNaming(field, name.value)) continue;
        take(value);
        if (field.name.value === 'ImagingStudy') take(value, studies);
      }
    },
  });
  for (const [name, value] of defaults) if (studies.variables.has(name)) take(value, studies);
  return { literals, variables, studies };
}

function isNaming({ name: { value: field } }: FieldNode, argument: string): boolean {
  if (argument === 'id') return BY_ID.test(field);
  return argument === '_id' ? PATIENT_SEARCH.test(field) : PARAMETER.test(argument);
}

const listed = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);
const isText = (value: unknown): value is string => typeof value === 'string';

/** Returns the patients and studies that a request names, and whether it runs at all. */
export function namedIn(request: AskedRequest, documents?: DocumentRules): Named {
  const graphql = namedInGraphql(request, documents);
  return {
    patients: namedPatients(request, graphql),
    studies: namedStudies(request, graphql),
    // A batch reads nothing itself: each of its requests names its own.
    runs: graphql.runs && request.serves.interaction !== 'batch',
  };
}
