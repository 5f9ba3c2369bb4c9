import { Fault } from '../../../schema/fault/fault.ts';
import type { Clinical } from '../record/clinical.ts';
import type { DateBounds } from '../timeline/dates.ts';
import type { Entry } from '../timeline/entry.ts';
import { timelinePage, type Missing } from '../timeline/timeline.ts';

/** Events on one axis: the most that one page of a timeline holds. */
const MOST_EVENTS = 500;

/**
 * Returns the imaging studies and procedures of a time, oldest first, without those that have no date.
 * @throws Fault `too_large` for more than 500; like `timelinePage`
 */
export async function trendEvents(
  clinical: Clinical,
  bounds: DateBounds & { patientId: string },
): Promise<{ events: Entry[]; missing: readonly Missing[] }> {
  const types = ['ImagingStudy', 'Procedure'];
  const { entries, next, missing } = await timelinePage(clinical, { ...bounds, types, count: MOST_EVENTS });
  if (next !== undefined)
    throw new Fault(
      'too_large',
      `There are more than ${MOST_EVENTS} studies and procedures. Ask for a shorter time with from and to.`,
    );
  return { events: entries.filter(({ date }) => date !== undefined).reverse(), missing };
}
