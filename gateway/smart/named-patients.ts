import { parse, visit, type ValueNode } from 'graphql';
import { UID } from '../../schema/dicom.ts';
import { FHIR_ID } from '../../schema/fhir.ts';

/** More patients or studies than this are not looked for in one request. */
const MOST = 10;
const MOST_GRAPHQL_TOKENS = 5000;
/** Fields that read what their `id` names. */
const BY_ID = /^(Patient|ImagingStudy|Endpoint)$/;
const PARAMETER = /^(patient|subject)(:Patient)?$/;

/**
 * Patients whom a request names: in the path (`/fhir/Patient/{id}`), by `patient=` or `subject=` in the address or a
 * form, by `_id=` of a Patient search, in a GraphQL document (`Patient(id:)`, `patient:`, `subject:`) or its variables.
 * They are candidates only: whether the caller may see them is found out from the EHR.
 * @param url path and query
 * @param body as the route parsed it: a form as text or pairs, GraphQL as an object
 */
export function namedPatients(url: string, body: unknown): string[] {
  const [path = '', ...rest] = url.split('?');
  const form = typeof body === 'string' || Array.isArray(body) ? new URLSearchParams(body as string) : [];
  const parameters = [...new URLSearchParams(rest.join('?')), ...form];
  const searched = /\/fhir\/Patient(\/_search)?$/.test(path);
  const named = [
    /\/fhir\/Patient\/([^/]+)/.exec(path)?.[1],
    ...parameters
      .filter(([name]) => PARAMETER.test(name) || (searched && name === '_id'))
      .flatMap(([, value]) => value.split(',')),
    ...graphqlValues(body),
    ...(/\/\$?graphql$/.test(path) ? graphqlValues(Object.fromEntries(parameters)) : []),
  ];
  const ids = named.map((value) => value?.replace(/^.*\/?Patient\//, ''));
  return [...new Set(ids)]
    .filter((id): id is string => id !== undefined && FHIR_ID.test(id) && !/^\.\.?$/.test(id))
    .slice(0, MOST);
}

/**
 * Studies that a request retrieves or reads by UID: `studies/{uid}` in the path or of a link that is asked for, the
 * `studyUID` of WADO-URI, `/fhir/ImagingStudy/{uid}`, the Endpoint of a study, `ImagingStudy(id:)` in a GraphQL document
 * or its variables.
 * Candidates only, as patients are.
 */
export function namedStudies(url: string, body: unknown): string[] {
  const [path = '', query] = url.split('?');
  const parameters = new URLSearchParams(query);
  const { path: linked } = (typeof body === 'object' && body !== null ? body : {}) as { path?: unknown };
  const named = [
    /\/dicomweb\/studies\/([^/]+)/.exec(path)?.[1],
    path.endsWith('/wado-uri') ? (parameters.get('studyUID') ?? undefined) : undefined,
    /\/fhir\/(?:ImagingStudy|Endpoint)\/([^/]+)$/.exec(path)?.[1],
    typeof linked === 'string' ? /^studies\/([^/?]+)/.exec(linked)?.[1] : undefined,
    ...graphqlValues(body),
    ...(/\/\$?graphql$/.test(path) ? graphqlValues(Object.fromEntries(parameters)) : []),
  ];
  return [...new Set(named)]
    .filter((uid): uid is string => uid !== undefined && UID.test(uid) && uid.includes('.'))
    .slice(0, MOST);
}

function graphqlValues(request: unknown): string[] {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) return [];
  const { query, variables } = request as { query?: unknown; variables?: unknown };
  return [...literals(query), ...strings(variables)];
}

/** Of a document that does not parse nothing is named: what runs it says why. */
function literals(query: unknown): string[] {
  if (typeof query !== 'string') return [];
  const found: string[] = [];
  const take = (value: ValueNode) => {
    if (value.kind === 'StringValue') found.push(value.value);
  };
  try {
    visit(parse(query, { noLocation: true, maxTokens: MOST_GRAPHQL_TOKENS }), {
      Field: ({ name, arguments: given = [] }) => {
        for (const argument of given) {
          if (PARAMETER.test(argument.name.value)) take(argument.value);
          if (BY_ID.test(name.value) && argument.name.value === 'id') take(argument.value);
        }
      },
    });
  } catch {
    return [];
  }
  return found;
}

function strings(variables: unknown): string[] {
  let values = variables;
  if (typeof variables === 'string') {
    try {
      values = JSON.parse(variables) as unknown;
    } catch {
      return [];
    }
  }
  if (typeof values !== 'object' || values === null) return [];
  return Object.values(values).filter((value): value is string => typeof value === 'string');
}
