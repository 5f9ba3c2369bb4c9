import type { HumanName, Patient, Practitioner } from 'fhir/r4.js';
import type { Access, PatientIdentity } from '../../../../schema/access/access.ts';
import { FHIR_ID } from '../../../../schema/fhir/fhir.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import { resolveIdentity, type UnclearReason } from '../../../identity/resolve-identity.ts';
import { ifFound, recordLookup, type ClinicalRecord } from '../../../joins/record-lookup.ts';
import type { UpstreamDeps } from '../../token/upstream.ts';
import type { Person } from './identify.ts';

/** Largest numbers of people who can be found on a sign-in page: the patients are one page of the record. */
const MOST_PATIENTS = 1000;
const MOST_CLINICIANS = 20;

/**
 * Reads the people of a tenant's clinical record with our own access, for the sign-in page of a demonstration and to find a
 * patient's images. It does not decide what a caller may see.
 * @param open opens the clinical record with an Access
 */
export function peopleOfRecord(
  open: (tenant: Tenant, access: Access) => ClinicalRecord,
  { now, onUnclear }: Pick<UpstreamDeps, 'now' | 'onUnclear'> = { now: Date.now },
) {
  const record = (tenant: Tenant) => open(tenant, ourAccess(tenant));
  return {
    /** Returns the patients and their general practitioners. */
    async people(tenant: Tenant): Promise<Person[]> {
      const own = record(tenant);
      const search = { params: [], count: MOST_PATIENTS };
      const found = (await own.search('Patient', search)).resources as Patient[];
      // A record that another one has replaced is no longer used.
      const patients = found.filter(({ active }) => active !== false);
      const references = patients.flatMap(({ generalPractitioner = [] }) => generalPractitioner);
      const ids = references.map(({ reference }) => /^Practitioner\/([^/]+)$/.exec(reference ?? '')?.[1]);
      const clinicians = [...new Set(ids)].filter((id) => id !== undefined).slice(0, MOST_CLINICIANS);
      const practitioners = await Promise.all(clinicians.map((id) => ifFound(own.read('Practitioner', id))));
      const people = [...patients, ...practitioners] as (Patient | Practitioner | undefined)[];
      return people.flatMap((resource) => (resource?.id ? [person(resource, resource.id)] : []));
    },

    /** Returns the ids of the patients with a record number. Several people may have the same one, of different issuers. */
    async holders(tenant: Tenant, number: string): Promise<string[]> {
      const found = await recordLookup(() => record(tenant)).holders([number]);
      return (found ?? []).map(({ id }) => id);
    },

    /** Returns the identity of a patient; undefined when the record does not have the patient. */
    async identity(tenant: Tenant, patientId: string): Promise<PatientIdentity | undefined> {
      if (!FHIR_ID.test(patientId)) return undefined;
      const lookup = recordLookup(() => record(tenant));
      const patient = await lookup.read(patientId);
      if (!patient) return undefined;
      const unclear = (reason: UnclearReason) => onUnclear?.(tenant, reason);
      return resolveIdentity(patient, { lookup, onUnclear: unclear, now: now() });
    },
  };
}

function ourAccess({ key }: Tenant): Access {
  return {
    tenant: key,
    patients: 'all',
    permissions: [
      { level: 'system', type: 'Patient', interactions: 'rs' },
      { level: 'system', type: 'Practitioner', interactions: 'r' },
    ],
    expires: Number.MAX_SAFE_INTEGER,
  };
}

/** Returns the person of a resource, with a name for a page. */
export function person(resource: Patient | Practitioner, id: string): Person {
  const { resourceType, name = [], birthDate } = resource;
  const best = name.find(({ use }) => use === 'official') ?? name[0];
  return {
    id,
    reference: `${resourceType}/${id}`,
    name: (best && written(best)) || `${resourceType} ${id}`,
    ...(resourceType === 'Patient' && birthDate && { birthDate }),
  };
}

function written({ text, prefix = [], given = [], family = '' }: HumanName): string {
  return text ?? [...prefix, ...given, family].filter(Boolean).join(' ');
}
