import type { Patient } from 'fhir/r4.js';
import type { GraphQLFieldResolver } from 'graphql';
import { requirePatient } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { toGraphqlError } from '../../../schema/graphql/graphql-fault.ts';
import { fieldsOf } from '../../../schema/fhir/tables.ts';
import type { Clinical } from '../record/clinical.ts';

const FAULT = Symbol('fault');

/** A patient of whom only the id can be said: the record is down, or the scopes do not reach it. */
interface UnreadablePatient {
  resourceType: 'Patient';
  id: string;
  [FAULT]: Fault;
}

/**
 * Reads a patient in reach; where the record cannot be read, a patient with its id alone, so that what hangs below it
 * can still be reached: their images while the EHR is down (FG-10), their lists without `Patient.r` (SM-6).
 * @throws Fault `forbidden` for another patient, `not_found` where the record says that there is none
 */
export async function patientOrId(clinical: Clinical, id: string): Promise<Patient | UnreadablePatient> {
  try {
    return (await clinical.read('Patient', id)) as Patient;
  } catch (error) {
    requirePatient(clinical.access, id);
    if (!(error instanceof Fault) || error.code === 'not_found' || error.code === 'internal') throw error;
    return { resourceType: 'Patient', id, [FAULT]: error };
  }
}

type Fields = Record<string, GraphQLFieldResolver<never, never, never>>;

/** Resolvers of Patient's own fields, which on an unreadable patient are null with the reason as an error. */
export function resolversOfUnreadablePatient(existing: Fields): Fields {
  const fields: Fields = {};
  for (const { name, kind } of fieldsOf('Patient')) {
    if (name === 'id' || name === 'resourceType') continue;
    for (const field of kind === 'primitive' ? [name, `_${name}`] : [name]) {
      const resolve = existing[field];
      fields[field] = (source: Record<string, unknown> & { [FAULT]?: Fault }, args, context, info) => {
        if (source[FAULT]) throw toGraphqlError(source[FAULT]);
        return resolve ? resolve(source as never, args, context, info) : source[field];
      };
    }
  }
  return fields;
}
