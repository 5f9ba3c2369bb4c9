import { findStudies, type Found, type FoundStudy, type ResourceOptions } from '../fhir/find.ts';
import { parseSearch } from '../fhir/search.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { priorTo, type PriorsArguments } from '../priors/comparison.ts';
import { studyDocument } from '../study/study-document.ts';
import type { Imaging } from '../study/studies.ts';
import { linkedStudies, type StudyLinks } from './linked-studies.ts';

/** Earlier, comparable studies of the same patient (FG-18). */

/** Arguments of `ImagingStudy.priors`. */
export interface PriorsPage extends PriorsArguments {
  _count?: number | null;
}

/**
 * Returns the priors of a study that the caller may see, newest first. They are found among the studies of its patient
 * alone; a study whose patient is not known has none.
 * @throws Fault as every search, and as `priorTo`
 */
export async function priorsOfStudy(
  imaging: Imaging,
  { record }: FoundStudy,
  { args, options }: { args: PriorsPage; options: ResourceOptions },
): Promise<Pick<Found, 'page' | 'total' | 'failed'>> {
  const { patientId } = record;
  const isPrior = priorTo(record, args);
  if (patientId === undefined) return { page: [], total: 0, failed: [] };
  return findStudies(imaging, searchOf(patientId, args._count), options, (one) => isPrior(one.record));
}

function searchOf(patientId: string, count?: number | null) {
  if (typeof count === 'number' && count < 0)
    throw new Fault('invalid_request', '_count must not be negative.');
  const page = typeof count === 'number' ? ([['_count', String(count)]] as const) : [];
  return parseSearch([['patient', patientId], ...page], { strict: true, patientBases: [] });
}

/** A prior of a report's studies, with the keys by which the record finds its reports. */
export interface PriorStudy {
  id: string;
  _patientId: string;
  _accessionNumbers: readonly string[];
}

/**
 * Returns the priors of all studies of a report, newest first, without these studies themselves.
 * @returns also the faults of sources that did not answer
 */
export async function priorsOfReport(
  imaging: Imaging,
  links: StudyLinks,
  { args, options }: { args: PriorsArguments; options: ResourceOptions },
): Promise<{ priors: readonly PriorStudy[]; failed: readonly Fault[] }> {
  const linked = linkedStudies(links);
  if (!linked) return { priors: [], failed: [] };
  const { patientId } = linked;
  const search = { ...searchOf(patientId), count: Infinity };
  const { page, failed } = await findStudies(imaging, search, options);
  const isOwn = ({ record }: FoundStudy) => linked.isLinked(studyDocument(record));
  const tests = page.filter(isOwn).map(({ record }) => priorTo(record, args));
  const priors = page.filter((one) => !isOwn(one) && tests.some((isPrior) => isPrior(one.record)));
  return {
    priors: priors.map(({ study, record }) => ({
      id: study.id!,
      _patientId: patientId,
      _accessionNumbers: studyDocument(record).accessionNumbers,
    })),
    failed,
  };
}
