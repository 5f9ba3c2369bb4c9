import { Fault } from '../../../../schema/fault/fault.ts';
import { tenantBase } from '../../../../schema/http/request.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import { expiringCache } from '../../token/expiring-cache.ts';
import type { Identify, Person, User } from './identify.ts';
import { escaped, isolated, page } from './page.ts';
import { choices, finder } from './person-buttons.ts';
import type { PatientsOfStudy } from './study-hint.ts';

/** Returns the people of a tenant's clinical record: patients and practitioners. */
export type People = (tenant: Tenant) => Promise<readonly Person[]>;

const FRESH_SECONDS = 60;

/**
 * Returns the sign-in of `embedded` tenants, which are demonstrations: users choose who they are, without a password. A
 * patient can open the own record, a clinician all records.
 * @param now milliseconds since the epoch
 * @param baseUrl of the gateway, with which the users of a policy begin
 * @param ofStudy finds the patients of a study that an app names
 */
export function demonstration(
  people: People,
  now: () => number,
  baseUrl: string,
  ofStudy?: PatientsOfStudy,
): Identify {
  const known = expiringCache<readonly Person[]>(100, now);
  const everybody = async (tenant: Tenant) =>
    known.get(tenant.cacheKey, async () => ({ value: await people(tenant), seconds: FRESH_SECONDS }));
  const analyst = (tenant: Tenant, account: unknown) =>
    analystsOf(tenant, baseUrl).find((each) => each.account === account);
  const user = async (tenant: Tenant, account: string): Promise<User | undefined> => {
    const ofPolicy = analyst(tenant, account);
    if (ofPolicy) return ofPolicy;
    const person = (await everybody(tenant)).find(({ reference }) => reference === account);
    return person && { account: person.reference, name: person.name, fhirUser: person.reference };
  };
  return {
    user,
    async ask(tenant, { app, action, find = '' }) {
      const analysts = analystsOf(tenant, baseUrl);
      // An analyst can sign in while the record is being loaded.
      const all = await everybody(tenant).catch((error: unknown) => {
        if (analysts.length > 0 && error instanceof Fault && error.code === 'unavailable') return [];
        throw error;
      });
      const { field, shown } = finder(all.filter(isPatient), find, action);
      const body = `<p>To open <b>${isolated(app)}</b>, sign in as one of the demonstration’s people. There are no passwords: nobody here is real.${field}
<form method="post" action="${escaped(action)}">
${part('An analyst, with the records of many patients', analysts.map(asPerson))}
${part('A patient, with their own record', shown)}
${part(
  'A clinician, with anybody’s record',
  all.filter((person) => !isPatient(person)),
)}
<p class="actions"><button name="step" value="deny" class="quiet">Cancel</button></form>`;
      return { html: page('Sign in', body) };
    },
    // Only a page of this gateway asks so: nobody else gets the code.
    atOnce: (tenant, { client, hint }) => (client === PLAYGROUND ? analyst(tenant, hint) : undefined),
    answer: (tenant, form) => user(tenant, form.get('account') ?? ''),
    ofStudy,
    async patients(tenant, { account }) {
      const patients = (await everybody(tenant)).filter(isPatient);
      const self = patients.filter(({ reference }) => reference === account);
      return account.startsWith('Patient/') ? self : patients;
    },
  };
}

/** The client that the playground of a tenant is. */
export const PLAYGROUND = 'playground';

/** Returns the users of a tenant's own policy: analysts, who choose no patient. */
export function analystsOf(tenant: Tenant, baseUrl: string): User[] {
  const { type, policy } = tenant.authorization;
  if (type !== 'embedded' || !Array.isArray(policy)) return [];
  const base = `${tenantBase(baseUrl, tenant)}/fhir/`;
  const users = policy.flatMap(({ user }) => (user?.startsWith(base) ? [user.slice(base.length)] : []));
  return [...new Set(users)].map((account) => ({ account, name: 'Analyst', fhirUser: account }));
}

const asPerson = ({ account, name }: User): Person => ({
  id: account.slice(account.indexOf('/') + 1),
  reference: account,
  name,
});

const part = (title: string, people: readonly Person[]): string =>
  people.length === 0 ? '' : `<h2>${title}</h2>${choices('account', people)}`;

const isPatient = ({ reference }: Person) => reference.startsWith('Patient/');
