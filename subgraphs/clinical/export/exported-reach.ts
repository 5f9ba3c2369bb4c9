import { hash } from 'node:crypto';
import type { Access } from '../../../schema/access/access.ts';
import { permitting, requireScope } from '../../../schema/access/scopes.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { interactionOf, type WantedTypes } from '../record/patient-data.ts';

/** The patients, studies and types of an export. A later token has to reach all of them to get the files. */
export interface ExportedReach {
  patients: 'all' | readonly { id: string; studies?: readonly string[] }[];
  /** Each type with the granular constraints of its scopes. */
  types: readonly { type: string; constraints?: unknown }[];
}

/** Returns the reach of an export with this access. */
export function exportedReach(access: Access, { searched, shared, imaging }: WantedTypes): ExportedReach {
  const { patients } = access;
  return {
    patients:
      patients === 'all' ? 'all' : patients.map(({ id, studies }) => ({ id, ...(studies && { studies }) })),
    types: [...searched, ...shared, ...imaging].map((type) => ({
      type,
      ...requireScope(access, type, interactionOf(type)),
    })),
  };
}

/** Returns true when a caller may still see everything that an export contains. */
export function stillReaches(access: Access, { patients, types }: ExportedReach): boolean {
  return reachesPatients(access, patients) && types.every((one) => reachesType(access, one));
}

function reachesPatients(access: Access, patients: ExportedReach['patients']): boolean {
  if (access.patients === 'all') return true;
  if (patients === 'all') return false;
  // There may be thousands of them, and a client asks every few seconds.
  const grants = new Map(access.patients.map((grant) => [grant.id, grant]));
  return patients.every(({ id, studies }) => {
    const grant = grants.get(id);
    if (!grant?.studies) return grant !== undefined;
    return studies?.every((uid) => grant.studies!.includes(uid)) ?? false;
  });
}

function reachesType(access: Access, { type, constraints }: ExportedReach['types'][number]): boolean {
  const interaction = interactionOf(type);
  if (permitting(access.permissions, type, interaction).length === 0) return false;
  const now = requireScope(access, type, interaction);
  return !now.constraints || JSON.stringify(now.constraints) === JSON.stringify(constraints);
}

/**
 * Returns the key of the client that owns an export; it reveals nothing about the client.
 * @throws Fault `forbidden` for a token that names no client
 */
export function ownerOf({ tenant, client, user }: Access): string {
  const name = client === undefined ? user && `user ${user}` : `client ${client}`;
  if (name === undefined) throw new Fault('forbidden', 'An export needs a token that names its client.');
  return hash('sha256', `${tenant}\0${name}`, 'base64url');
}
