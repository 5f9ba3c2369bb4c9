import { Fault } from '../../../../schema/fault/fault.ts';
import { STUDY_REVINCLUDES } from '../../../../schema/fhir/joined-types.ts';
import { studyTest, type StudyKeys } from '../../../../schema/fhir/study-match.ts';
import type { Criterion, LinkTests } from '../criterion.ts';
import type { WantedPatients } from '../../study/study-records.ts';
import type { AuthorizedStudies } from '../../study/authorized-studies.ts';
import type { RecordJoins, RecordSearch } from './record-joins.ts';

/** Chains from a study into the record (R4 §3.1.1.4.12): `basedon.status=active`, `encounter.class=AMB`. */

const CHAIN = /^(basedon|encounter)(?::(ServiceRequest|Encounter))?\.(.+)$/;
const TYPES = { basedon: 'ServiceRequest', encounter: 'Encounter' } as const;

/**
 * Parses a chained parameter; undefined for any other.
 * @throws Fault `unsupported_parameter` for a type to which the parameter does not lead here
 */
export function chainCriterion(name: string, value: string): Criterion | undefined {
  const [, code, named, inner] = CHAIN.exec(name) ?? [];
  if (!code || !inner || value.trim() === '') return undefined;
  const type = TYPES[code as keyof typeof TYPES];
  if (named !== undefined && named !== type) {
    throw new Fault('unsupported_parameter', `${code} leads to ${type} here.`);
  }
  return linkedCriterion(code, { type, name: inner, value });
}

const HAS = /^_has:([A-Z][A-Za-z]+):([a-z-]+):(.+)$/;

/**
 * Parses a reverse chain (R4 §3.1.1.4.13): `_has:Observation:derived-from:code=1234-5`. Undefined for any other parameter, and
 * for one that does not lead to a study here.
 */
export function hasCriterion(name: string, value: string): Criterion | undefined {
  const [, type, code, inner] = HAS.exec(name) ?? [];
  if (!type || !code || !inner || value.trim() === '') return undefined;
  if (!STUDY_REVINCLUDES.includes(`${type}:${code}`)) return undefined;
  return linkedCriterion('_has', { type, code, name: inner, value });
}

/** Returns a criterion that studies meet that belong to what the record finds. */
export function linkedCriterion(code: string, linked: RecordSearch): Criterion {
  return {
    code,
    linked,
    matches: ({ keys, tests }) => keys !== undefined && isLinked(tests?.get(linked), keys),
  };
}

/** Returns true when a study belongs to one of the resources. */
export function isLinked(tests: LinkTests | undefined, keys: StudyKeys): boolean {
  return tests?.some((test) => test(keys)) ?? false;
}

/**
 * Asks the record for what the criteria of a search need.
 * @param patients logical ids of the patients whose studies are searched; undefined: all in reach
 * @throws Fault like the record; `unsupported_parameter` where there is no record to ask
 */
export function linkTests(
  record: RecordJoins | undefined,
  { tenant, access }: Pick<AuthorizedStudies, 'tenant' | 'access'>,
  { criteria, patients }: { criteria: readonly Criterion[]; patients: readonly WantedPatients[] },
): Promise<ReadonlyMap<RecordSearch, LinkTests>> | undefined {
  const asked = criteria.flatMap(({ linked }) => linked ?? []);
  if (asked.length === 0) return undefined;
  const named = patients.includes(undefined) ? undefined : patients.flatMap((one) => one ?? []);
  const tests = asked.map(async (search) => {
    const links = await recordOf(record, search).linked({ tenant, access }, search, named);
    return [search, links.flatMap((one) => studyTest(one) ?? [])] as const;
  });
  return Promise.all(tests).then((all) => new Map(all));
}

/** Returns the record. @throws Fault `unsupported_parameter` where there is none */
export function recordOf(record: RecordJoins | undefined, { name }: RecordSearch): RecordJoins {
  if (record) return record;
  throw new Fault('unsupported_parameter', `There is no record here that can be searched by ${name}.`);
}
