import type { Resource } from 'fhir/r4.js';
import type { Access } from '../../../schema/access/access.ts';
import type { RecordOperation } from '../../../schema/access/audit.ts';
import { Fault, toFault } from '../../../schema/fault/fault.ts';
import { joinedTypes, type JoinedType } from '../../../schema/fhir/joined-types.ts';
import type { StudyKeys, StudyLinks } from '../../../schema/fhir/study-match.ts';
import { alternatives, unescapeValue } from '../../../schema/fhir/search/search-value.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Clinical } from '../record/clinical.ts';
import { requireScope } from '../../../schema/access/scopes.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';
import { MAX_INCLUDED, readAll } from '../record/includes.ts';
import { LIST_LIMIT } from '../record/limits.ts';
import { MAX_GATHERED } from '../sources/request-source.ts';
import { ofStudy } from './of-study.ts';
import { linksOf } from './study-links.ts';

interface Caller {
  tenant: Tenant;
  access: Access;
  audit?: RecordOperation | undefined;
}

interface Wanted {
  type: string;
  code?: string;
  /** References that are followed to resources of one type. */
  names?: { type: string; references: readonly string[] };
}

interface AskedSearch {
  type: string;
  /** The search parameter of the type that has to lead to a study. */
  code?: string;
  name: string;
  value: string;
}

type Open = (
  ...request: [tenant: Tenant, access: Access, over?: Abortable, audit?: RecordOperation]
) => Clinical;

/** Returns what searches of studies ask of the record (FG-9); the composition root gives it to the imaging subgraph. */
export function recordJoins(open: Open) {
  return {
    async linked(
      { tenant, access, audit }: Caller,
      search: AskedSearch,
      patients?: readonly string[],
    ): Promise<readonly StudyLinks[]> {
      const clinical = open(tenant, access, undefined, audit);
      const { type, code } = search;
      if (type === 'Patient') {
        const ids = await clinical.patients([[search.name, search.value]]);
        return ids.map((id) => ({ _patientId: id }));
      }
      const found = search.name === '_id' ? named(clinical, search) : searched(clinical, search, patients);
      const resources = await found;
      return Promise.all(resources.map((resource) => linksOf(clinical, resource, code)));
    },

    async included(
      { tenant, access, audit }: Caller,
      studies: readonly StudyKeys[],
      wanted: readonly Wanted[],
    ) {
      const clinical = open(tenant, access, undefined, audit);
      const missing: { of: Wanted; fault: Fault }[] = [];
      const lists = await Promise.all(
        wanted.map((of) =>
          includedBy(clinical, studies, of).catch((error: unknown): Resource[] => {
            const fault = toFault(error);
            // An error of this server is no answer.
            if (fault.code === 'internal') throw fault;
            missing.push({ of, fault });
            return [];
          }),
        ),
      );
      const all = [...new Map(lists.flat().map((one) => [`${one.resourceType}/${one.id}`, one])).values()];
      if (all.length > MAX_INCLUDED) {
        const message = `Only ${MAX_INCLUDED} resources are included on a page: ask for less with _count.`;
        missing.push({ of: wanted[0]!, fault: new Fault('too_large', message) });
      }
      return { resources: all.slice(0, MAX_INCLUDED), missing };
    },
  };
}

/** Reads resources by their ids; those that are missing or another patient's are left out. */
async function named(
  clinical: Clinical,
  { type, value }: { type: string; value: string },
): Promise<Resource[]> {
  const read = alternatives(value).map((id) =>
    clinical.read(type, unescapeValue(id)).catch((error: unknown) => {
      if (error instanceof Fault && error.code === 'not_found') return undefined;
      throw error;
    }),
  );
  return (await Promise.all(read)).filter((resource) => resource !== undefined);
}

async function searched(
  clinical: Clinical,
  { type, code, name, value }: AskedSearch,
  patients: readonly string[] | undefined,
): Promise<Resource[]> {
  const limit = code === undefined ? LIST_LIMIT : MAX_GATHERED;
  const bound = patients ? [['patient', patients.map((id) => `Patient/${id}`).join(',')] as const] : [];
  if (patients?.length === 0) return [];
  const found = await clinical.search(type, {
    params: [[name, value], ...bound],
    count: limit,
    strict: true,
  });
  if (found.next === undefined) return [...found.resources];
  throw new Fault(
    'too_large',
    `More than ${limit} ${type} resources match the chain: name a patient, narrow it, or use $sql-run where the server has it.`,
  );
}

/** Returns what one `_include` or `_revinclude` adds to studies. */
async function includedBy(
  clinical: Clinical,
  studies: readonly StudyKeys[],
  { type, code, names }: Wanted,
): Promise<Resource[]> {
  if (names) return namedIn(clinical, names);
  if (type === 'Patient') {
    const ids = [...new Set(studies.flatMap(({ _patientId }) => _patientId ?? []))];
    return named(clinical, { type, value: ids.join(',') });
  }
  if (!(joinedTypes as readonly string[]).includes(type)) return [];
  const lists = await Promise.all(
    studies.map((study) => ofStudy(clinical, study, { type: type as JoinedType, only: code })),
  );
  return lists.flat();
}

/**
 * Reads the resources of one type that studies name; what is missing or out of reach is left out.
 * @throws Fault `insufficient_scope` when the studies name some, and the caller may not read the type
 */
async function namedIn(
  clinical: Clinical,
  { type, references }: NonNullable<Wanted['names']>,
): Promise<Resource[]> {
  const targets = await Promise.all(references.map((one) => clinical.target(one)));
  const names = targets.flatMap((target) => (target?.type === type ? `${type}/${target.id}` : []));
  if (names.length > 0) requireScope(clinical.access, type, 'r');
  return readAll(clinical, names);
}
