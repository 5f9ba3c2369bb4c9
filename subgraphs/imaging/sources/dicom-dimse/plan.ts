import { number, Tag, text, texts } from '../../../../schema/dicom.ts';
import { noSuchObject } from '../../not-found.ts';
import type { Target } from '../source.ts';
import type { DimseClient } from './client.ts';
import { targetLevel } from './keys.ts';
import { findWithin } from './search.ts';

/** What the archive has of a target, by C-FIND. */
export interface Plan {
  /** How many instances. */
  count: number;
  /** Of the instances, where they have to be named. */
  sopClasses: readonly string[];
}

/** SOP Classes in Study, PS3.4 §C.3.4. */
const SOP_CLASSES_IN_STUDY = '00080062';

/**
 * What the archive has of the target.
 * @param named whether its SOP classes are wanted
 * @throws Fault `not_found`
 */
export async function planOf(
  client: DimseClient,
  target: Target,
  named: boolean,
  signal: AbortSignal | undefined,
): Promise<Plan> {
  const level = targetLevel(target);
  if (level === 'study' || (level === 'series' && !named)) {
    const tag = level === 'study' ? Tag.NumberOfStudyRelatedInstances : Tag.NumberOfSeriesRelatedInstances;
    const tags = [tag, ...(named ? [SOP_CLASSES_IN_STUDY] : [])];
    const [row] = await findWithin(client, target, level, tags, signal);
    if (!row) throw noSuchObject();
    const count = number(row, tag);
    const sopClasses = texts(row, SOP_CLASSES_IN_STUDY);
    if (count !== undefined && (!named || sopClasses.length > 0)) return { count, sopClasses };
  }
  // Counts and SOP classes are optional keys, PS3.4 §C.6.2.1: then the instances are counted, series by series.
  const series =
    level === 'study'
      ? await findWithin(client, target, 'series', [Tag.SeriesInstanceUID], signal)
      : [undefined];
  const sopClasses: string[] = [];
  for (const row of series) {
    const within = { ...target, ...(row && { seriesUid: text(row, Tag.SeriesInstanceUID)! }) };
    const tags = [Tag.SOPInstanceUID, Tag.SOPClassUID];
    for (const instance of await findWithin(client, within, 'instance', tags, signal)) {
      sopClasses.push(text(instance, Tag.SOPClassUID) ?? '');
    }
  }
  if (sopClasses.length === 0) throw noSuchObject();
  return { count: sopClasses.length, sopClasses: [...new Set(sopClasses.filter(Boolean))] };
}
