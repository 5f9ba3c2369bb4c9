import { findStudies, type Found, type FoundStudy, type ResourceOptions } from '../fhir/find.ts';
import { parseSearch } from '../fhir/search.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import { requirePageSize } from '../../../schema/fhir/search/paging.ts';
import { priorTo, type PriorsArguments } from '../priors/comparison.ts';
import type { StudyKeys, StudyLinks } from '../../../schema/fhir/study-match.ts';
import { keysOf, patientOf } from '../study/document/study-keys.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import { linkedStudies } from './linked-studies.ts';

/** Earlier, comparable studies of the same patient (FG-18). */

/** Arguments of `ImagingStudy.priors`. */
export interface PriorsPage extends PriorsArguments {
  _count?: number | null;
}

/**
 * Returns the priors of a study that the caller may see, newest first. They are found among the studies of its patient
 * alone, those that only the clinical record has included; a study whose patient is not known has none.
 * @throws Fault as every search, and as `priorTo`
 */
export async function priorsOfStudy(
  imaging: AuthorizedStudies,
  found: FoundStudy,
  { args, options }: { args: PriorsPage; options: ResourceOptions },
): Promise<Pick<Found, 'page' | 'total' | 'failed'>> {
  const isPrior = priorTo(found, args);
  const patientId = patientOf(found);
  if (!patientId) return { page: [], total: 0, failed: [] };
  return findStudies(imaging, searchOf(patientId, args._count), options, isPrior);
}

function searchOf(patientId: string, count?: number | null) {
  if (typeof count === 'number') requirePageSize('ImagingStudy', count);
  const page = typeof count === 'number' ? ([['_count', String(count)]] as const) : [];
  return parseSearch([['patient', patientId], ...page], { strict: true, patientBases: [] });
}

/**
 * Returns the priors of all studies of a report by the keys that join them with the record, newest first, without these
 * studies themselves.
 * @returns also the faults of sources that did not answer
 */
export async function priorsOfReport(
  imaging: AuthorizedStudies,
  links: StudyLinks,
  { args, options }: { args: PriorsArguments; options: ResourceOptions },
): Promise<{ priors: readonly StudyKeys[]; failed: readonly Fault[] }> {
  const linked = linkedStudies(links);
  if (!linked) return { priors: [], failed: [] };
  const { patientId } = linked;
  const search = { ...searchOf(patientId), count: Infinity };
  const { page, failed } = await findStudies(imaging, search, options);
  const tests = page.filter(linked.isLinked).map((one) => priorTo(one, args));
  const priors = page.filter((one) => !linked.isLinked(one) && tests.some((isPrior) => isPrior(one)));
  return { priors: priors.map((one) => ({ ...keysOf(one), _patientId: patientId })), failed };
}
