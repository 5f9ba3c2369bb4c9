import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import { expiringCache } from '../../token/expiring-cache.ts';
import type { Identify, Person, User } from './identify.ts';
import { escaped, isolated, page } from './page.ts';
import { choices } from './person-buttons.ts';

/** Returns the people of a tenant's clinical record: patients and practitioners. */
export type People = (tenant: Tenant) => Promise<readonly Person[]>;

const FRESH_SECONDS = 60;

/**
 * Returns the sign-in of `embedded` tenants, which are demonstrations: users choose who they are, without a password. A
 * patient can open the own record, a clinician all records.
 * @param now milliseconds since the epoch
 */
export function demonstration(people: People, now: () => number): Identify {
  const known = expiringCache<readonly Person[]>(100, now);
  const everybody = (tenant: Tenant) =>
    known.get(tenant.cacheKey, async () => ({ value: await people(tenant), seconds: FRESH_SECONDS }));
  const user = async (tenant: Tenant, account: string): Promise<User | undefined> => {
    const person = (await everybody(tenant)).find(({ reference }) => reference === account);
    return person && { account: person.reference, name: person.name, fhirUser: person.reference };
  };
  return {
    user,
    async ask(tenant, { app, action }) {
      const all = await everybody(tenant);
      const clinicians = all.filter((person) => !isPatient(person));
      const body = `<p>To open <b>${isolated(app)}</b>, sign in as one of the demonstration’s people. There are no passwords: nobody here is real.
<form method="post" action="${escaped(action)}">
<h2>A patient, with their own record</h2>${choices('account', all.filter(isPatient))}
${clinicians.length > 0 ? `<h2>A clinician, with anybody’s record</h2>${choices('account', clinicians)}` : ''}
<p class="actions"><button name="step" value="deny" class="quiet">Cancel</button></form>`;
      return { html: page('Sign in', body) };
    },
    answer: (tenant, form) => user(tenant, form.get('account') ?? ''),
    async patients(tenant, { account }) {
      const patients = (await everybody(tenant)).filter(isPatient);
      const self = patients.filter(({ reference }) => reference === account);
      return account.startsWith('Patient/') ? self : patients;
    },
  };
}

const isPatient = ({ reference }: Person) => reference.startsWith('Patient/');
