import type { OperationOutcome } from 'fhir/r4.js';
import { requirePatient, type Access, type PatientGrant } from '../../../schema/access/access.ts';
import { Fault, faultOutcome } from '../../../schema/fault/fault.ts';
import { operationOutcome, parseReference } from '../../../schema/fhir/fhir.ts';
import { lastValue, unsupported, type Parameters } from '../../../schema/fhir/search/search-request.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { readDataFilter, wantedTypes, type DataFilter, type WantedTypes } from '../record/patient-data.ts';
import type { ExportSpec } from './run-export.ts';

/** The request that begins an export (Bulk Data Access 2.0 §2.1.0.3). */

const OUTPUT_FORMATS = ['application/fhir+ndjson', 'application/ndjson', 'ndjson'];
const KNOWN = ['_outputFormat', '_since', '_type', 'patient', '_format', '_pretty'];

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
    const fault = unsupported(name);
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
  const filter = readDataFilter(parameters.filter(([name]) => name === '_since' || name === '_type'));
  return {
    tenant,
    filter,
    notes,
    access: { ...access, patients },
    caller: access,
    types: typesOf({ tenant, access }, filter, lenient ? notes : undefined),
  };
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
  const ids = new Set(named.map((reference) => parseReference(reference)?.id ?? reference));
  return [...ids].map((id) => requirePatient({ ...access, patients }, id));
}

function warning(fault: Fault): OperationOutcome {
  const outcome = faultOutcome(fault);
  for (const issue of outcome.issue) issue.severity = 'warning';
  return outcome;
}
