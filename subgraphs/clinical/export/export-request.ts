import type { OperationOutcome } from 'fhir/r4.js';
import { requirePatient, type Access, type PatientGrant } from '../../../schema/access/access.ts';
import { Fault, faultOutcome } from '../../../schema/fault/fault.ts';
import { operationOutcome, parseReference } from '../../../schema/fhir/fhir.ts';
import { elementNames } from '../../../schema/fhir/elements.ts';
import { quotedName } from '../../../schema/fhir/nearest-name.ts';
import { lastValue, type Parameters } from '../../../schema/fhir/search/search-request.ts';
import { trimmedAlternatives } from '../../../schema/fhir/search/search-value.ts';
import { readParameters } from '../../../schema/http/request-bounds.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Clinical } from '../record/clinical.ts';
import { readDataFilter, wantedTypes, type DataFilter, type WantedTypes } from '../record/patient-data.ts';
import type { SearchParams } from '../search/search-params.ts';
import type { ExportSpec } from './run-export.ts';

/** The request that begins an export (Bulk Data Access 3.0, kick-off). */

/** The format of all files. */
export const NDJSON = 'application/fhir+ndjson';
const OUTPUT_FORMATS = [NDJSON, 'application/ndjson', 'ndjson'];
/** Conditions on the data that are read as those of other operations. */
const CONDITIONS = ['_since', '_until', '_type'];
const KNOWN = [...CONDITIONS, '_outputFormat', '_elements', '_typeFilter', 'patient', '_format', '_pretty'];
/** A query of `_typeFilter`. Commas separate queries, and the values inside of them. */
const QUERY = /^([A-Z][A-Za-z]*)\?(.+)$/s;
const NEXT_QUERY = /,(?=[A-Z][A-Za-z]*\?)/;

interface ExportRequest extends ExportSpec {
  /** Lines of the file of errors: what was asked for and is left out. */
  notes: readonly OperationOutcome[];
}

/**
 * Refuses a token that is no backend service's.
 * @throws Fault `insufficient_scope` without a `system/` scope, `forbidden` without a patient in the policy
 */
export function requireSystem(access: Access): void {
  if (!access.permissions.some(({ level }) => level === 'system')) {
    const scope = 'system/*.rs';
    throw new Fault('insufficient_scope', `An export needs system scopes, such as ${scope}.`, { scope });
  }
  if (access.patients !== 'all' && access.patients.length === 0) {
    throw new Fault('forbidden', 'The policy of this client has no patient.');
  }
}

/**
 * Reads what is to be exported.
 * @param members patients of the Group; undefined for an export of all patients in reach
 * @param lenient leave out what is not supported, and say so in the file of errors
 * @throws Fault `unsupported_parameter` for an unknown parameter, `invalid_request` for a bad value, `insufficient_scope`
 *   for a type that the scopes do not cover, `forbidden` for a patient out of reach
 */
export function readExport(
  {
    tenant,
    access,
    members,
  }: { tenant: Tenant; access: Access; members?: readonly PatientGrant[] | undefined },
  parameters: Parameters,
  lenient: boolean,
): ExportRequest {
  const notes: OperationOutcome[] = [];
  for (const [name] of parameters.filter(([name]) => !KNOWN.includes(name))) {
    const fault = new Fault('unsupported_parameter', `$export does not take ${quotedName(name)}.`);
    if (!lenient) throw fault;
    notes.push(warning(fault));
  }
  const format = lastValue(parameters, '_outputFormat')?.replaceAll(' ', '+');
  if (format !== undefined && !OUTPUT_FORMATS.includes(format)) {
    throw new Fault('unsupported_parameter', `_outputFormat takes ${OUTPUT_FORMATS.join(', ')}.`);
  }
  if (members && access.patients !== 'all') {
    // The same whether or not the Group has other members.
    const text = 'Only members of the Group who are in the policy of this client are exported.';
    notes.push(operationOutcome('information', 'informational', text));
  }
  const patients = patientsOf(access, members, parameters);
  const filter = readDataFilter(parameters.filter(([name]) => CONDITIONS.includes(name)));
  const types = typesOf({ tenant, access }, filter, lenient ? notes : undefined);
  const exported = [...types.searched, ...types.shared, ...types.imaging];
  const queries = queriesOf(exported, parameters);
  const elements = elementsOf(exported, parameters, lenient ? notes : undefined);
  return {
    tenant,
    filter: { ...filter, ...(queries.size > 0 && { queries }) },
    notes,
    access: { ...access, patients },
    caller: access,
    types,
    ...(elements && { elements }),
  };
}

/**
 * Returns the queries of `_typeFilter` by type. Without one of them the files would have what nobody asked for, so none is
 * ever left out.
 */
function queriesOf(exported: readonly string[], parameters: Parameters): Map<string, SearchParams[]> {
  const queries = new Map<string, SearchParams[]>();
  const values = parameters.filter(([name]) => name === '_typeFilter');
  for (const query of values.flatMap(([, value]) => value.split(NEXT_QUERY))) {
    const [, type, conditions] = QUERY.exec(query) ?? [];
    if (type === undefined || !exported.includes(type)) {
      const message =
        '_typeFilter takes searches of types that are exported, such as Observation?category=laboratory.';
      throw new Fault('invalid_request', message);
    }
    queries.set(type, [...(queries.get(type) ?? []), readParameters([conditions!])]);
  }
  return queries;
}

/**
 * Returns the elements of `_elements` by type; undefined without that parameter. A name without a type is one of all types
 * that have it.
 * @param notes undefined when a name that no exported type has is an error
 */
function elementsOf(
  exported: readonly string[],
  parameters: Parameters,
  notes: OperationOutcome[] | undefined,
): ReadonlyMap<string, readonly string[]> | undefined {
  const values = parameters.filter(([name]) => name === '_elements');
  if (values.length === 0) return undefined;
  const elements = new Map(exported.map((type): [string, string[]] => [type, []]));
  const names = values.flatMap(([, value]) => trimmedAlternatives(value));
  for (const name of names.length > 0 ? names : ['']) {
    const [, of, element] = /^(?:([A-Z]\w*)\.)?(\w+)$/.exec(name) ?? [];
    const types = exported.filter(
      (type) => (of ?? type) === type && element !== undefined && elementNames(type).includes(element),
    );
    for (const type of types) elements.get(type)!.push(element!);
    if (types.length > 0) continue;
    const fault = new Fault(
      'invalid_request',
      `_elements takes elements of types that are exported, such as Patient.name: ${quotedName(name)} is none.`,
    );
    if (!notes) throw fault;
    notes.push(warning(fault));
  }
  return [...elements.values()].some((list) => list.length > 0) ? elements : undefined;
}

/**
 * Refuses queries before the export begins: as a search by the same token, and for a type that is read or made here, those
 * that a resource alone does not decide.
 * @throws Fault like `Clinical.requireSearch`; `unsupported_parameter`
 */
export async function requireQueries({ types, filter }: ExportSpec, clinical: Clinical): Promise<void> {
  for (const [type, queries] of filter.queries ?? []) {
    for (const params of queries) {
      if (types.searched.includes(type)) await clinical.requireSearch(type, params);
      else if (!clinical.matching(type, [], params)) {
        const message = `_typeFilter takes search parameters that one ${type} alone decides, without chains.`;
        throw new Fault('unsupported_parameter', message);
      }
    }
  }
}

/** @param notes undefined when a type that is not covered is an error */
function typesOf(
  { tenant, access }: { tenant: Tenant; access: Access },
  { types: asked }: DataFilter,
  notes: OperationOutcome[] | undefined,
): WantedTypes {
  const covered = asked?.filter((type) => {
    try {
      wantedTypes(access, [type]);
      return true;
    } catch (error) {
      if (!notes || !(error instanceof Fault)) throw error;
      notes.push(warning(error));
      return false;
    }
  });
  const types = wantedTypes(access, covered);
  if (types.searched.length + types.shared.size + types.imaging.size === 0) {
    throw new Fault('insufficient_scope', "The token's scopes cover no data of patients.", {
      scope: 'system/*.rs',
    });
  }
  if (asked && types.searched.length === 0 && types.shared.size > 0) {
    throw new Fault(
      'invalid_request',
      '_type needs a type of the record too: others are those to which its resources refer.',
    );
  }
  const none = { ...types, searched: [], shared: new Set<string>() };
  return tenant.clinical.type === 'none' && !asked ? none : types;
}

function patientsOf(
  access: Access,
  members: readonly PatientGrant[] | undefined,
  parameters: Parameters,
): Access['patients'] {
  const named = parameters.filter(([name]) => name === 'patient').flatMap(([, value]) => value.split(','));
  const patients = members ?? access.patients;
  if (named.length === 0) return patients;
  const ids = new Set(named.map(patientId));
  return [...ids].map((id) => requirePatient({ ...access, patients }, id));
}

/** @param reference `Patient/1`, or the id alone */
function patientId(reference: string): string {
  const { type = 'Patient', id = reference } = parseReference(reference) ?? {};
  if (type === 'Patient') return id;
  throw new Fault('invalid_request', 'patient takes references to patients, such as Patient/1.');
}

function warning(fault: Fault): OperationOutcome {
  const outcome = faultOutcome(fault);
  for (const issue of outcome.issue) issue.severity = 'warning';
  return outcome;
}
