import { operationOutcome } from '../../../../schema/fhir/fhir.ts';
import { isSameAccession, readAccession, type Accession } from '../../../../schema/fhir/accession-types.ts';
import type { Parameters } from '../../../../schema/fhir/search/search-request.ts';
import { outcomeEntry, type SearchEntry } from '../../../../schema/fhir/search/searchset.ts';
import { Derivation } from '../../../../schema/process/derivation.ts';
import type { FoundStudy } from '../find.ts';
import { keysOf } from '../../study/document/study-keys.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { ALL_INCLUDES, keyOf, recordInclude, recordIncludes } from './includes.ts';
import type { RecordCaller, RecordInclude, RecordJoins } from './record-joins.ts';

/** The entries that the record adds to a page of studies, and the parameters that were applied. */
export interface RecordEntries {
  entries: SearchEntry[];
  applied: Parameters;
}

/** A page of studies, and the search that asked for it. */
interface AskedPage {
  studies: readonly FoundStudy[];
  /** Parameters of the search. */
  applied: Parameters;
  strict: boolean;
  /** Of the FHIR API, for `fullUrl`. */
  base: string;
}

/**
 * Finds what `_include` and `_revinclude` add of the record. What the caller may not see is left out with an outcome, and
 * the parameter is not among those that were applied.
 * @throws Fault under strict handling, for what the caller may not see
 */
export function recordEntries(
  record: RecordJoins | undefined,
  caller: RecordCaller,
  page: AskedPage,
): Promise<RecordEntries> | undefined {
  const { applied, studies } = page;
  const { clinical } = caller.tenant;
  // Where there is no record, `*` asks nothing of it.
  const asking = applied.filter(([, value]) => clinical.type !== 'none' || !ALL_INCLUDES.test(value));
  const wanted = recordIncludes(
    asking,
    studies.map(({ study }) => study),
  );
  if (wanted.length === 0 || !record) return undefined;
  return included(record, caller, { ...page, wanted });
}

async function included(
  record: RecordJoins,
  caller: RecordCaller,
  { studies, applied, strict, base, wanted }: AskedPage & { wanted: RecordInclude[] },
): Promise<RecordEntries> {
  const { resources, missing } = await record.included(
    caller,
    studies.map((one) => keysOf(one)),
    wanted,
  );
  const refused = missing.filter(({ fault }) => [401, 403].includes(fault.status));
  const askedBy = ([name, value]: readonly [string, string]) =>
    (ALL_INCLUDES.test(value) ? [] : recordInclude(name, value)).map(keyOf);
  // `*` asks for what the caller may see: of that nothing is refused.
  const named = new Set(applied.filter(([name]) => /^_(rev)?include/.test(name)).flatMap(askedBy));
  const refusals = refused.filter(({ of }) => named.has(keyOf(of)));
  if (strict && refusals.length > 0) throw refusals[0]!.fault;
  const others = refused.filter(({ of }) => !named.has(keyOf(of)));
  const faults = [
    ...missing.filter((one) => !others.includes(one)).map(({ fault }) => fault),
    ...notShown(others.map(({ of }) => of)),
  ];
  const refusedKeys = new Set(refusals.map(({ of }) => keyOf(of)));
  const isRefused = (parameter: readonly [string, string]) =>
    askedBy(parameter).some((key) => refusedKeys.has(key));
  return {
    entries: [
      ...resources.map((resource): SearchEntry => ({
        resource,
        mode: 'include',
        fullUrl: `${base}/${resource.resourceType}/${resource.id}`,
      })),
      ...faults.map(outcomeEntry),
    ],
    applied: applied.filter((parameter) => !/^_(rev)?include/.test(parameter[0]) || !isRefused(parameter)),
  };
}

/** Says in one fault what `*` leaves out; none when it leaves out nothing. */
function notShown(includes: readonly RecordInclude[]): Fault[] {
  if (includes.length === 0) return [];
  const types = [...new Set(includes.map(({ type, names }) => names?.type ?? type))].sort();
  return [
    new Fault('forbidden', `Not included, because the token does not show them here: ${types.join(', ')}.`),
  ];
}

/** Most studies of one accession number that an outcome names. */
const MAX_NAMED = 20;

const shared = new Derivation<readonly FoundStudy[], readonly SearchEntry[]>();

/**
 * Marks studies of one patient that have one accession number: a resource of the record that gives only the number belongs
 * to all of them. Returns an outcome for each such number.
 */
export function sharedAccessions(page: readonly FoundStudy[]): readonly SearchEntry[] {
  return shared.of(page, [], () => sharedEntries(page));
}

function sharedEntries(page: readonly FoundStudy[]): SearchEntry[] {
  const byNumber = new Map<string, { id: string; number: Accession }[]>();
  for (const found of page) {
    const { _patientId: patientId, _accessionNumbers: numbers } = keysOf(found);
    const id = found.study.id!;
    // Of patients that nobody knows, the numbers say nothing.
    if (!patientId) continue;
    for (const number of numbers.map(readAccession)) {
      const key = JSON.stringify([patientId, number.value]);
      const group = byNumber.get(key);
      if (group) group.push({ id, number });
      else byNumber.set(key, [{ id, number }]);
    }
  }
  return [...byNumber.values()].flatMap((studies) => {
    const shared = studies.filter((one) =>
      studies.some((other) => other.id !== one.id && isSameAccession(one.number, other.number)),
    );
    return shared.length === 0 ? [] : [sharedEntry([...new Set(shared.map(({ id }) => id))])];
  });
}

function sharedEntry(studyUids: readonly string[]): SearchEntry {
  const names = studyUids.slice(0, MAX_NAMED).join(', ');
  const more = studyUids.length > MAX_NAMED ? ` and ${studyUids.length - MAX_NAMED} more` : '';
  const text = `These studies have one accession number, so what gives only the number belongs to all: ${names}${more}.`;
  return { resource: operationOutcome('information', 'informational', text), mode: 'outcome' };
}
