import type { Coding, ImagingStudy } from 'fhir/r4.js';
import { facetLimit, mostFrequent, type Facet, type STUDY_FACETS } from '../../../schema/fhir/facets.ts';
import type { Args } from '../../../schema/fhir/search/search-arguments.ts';
import { fieldMember } from '../../../schema/graphql/graphql-fault.ts';

type Value = Pick<Facet, 'value' | 'system' | 'display'>;

const ofCodes = (codes: readonly (Coding | undefined)[]): Value[] =>
  codes.flatMap((coding) => {
    if (coding?.code === undefined) return [];
    const { code: value, system, display } = coding;
    return [{ value, system, display }];
  });
/** @param length characters of the date: 4 of a year, 7 of a month */
const ofStart = ({ started }: ImagingStudy, length: number): Value[] =>
  started === undefined || started.length < length ? [] : [{ value: started.slice(0, length) }];

/** The values of a study. Dates are those that the study states, in its own zone. */
const VALUES: Record<(typeof STUDY_FACETS)[number], (study: ImagingStudy) => Value[]> = {
  bodysite: ({ series = [] }) => ofCodes(series.map(({ bodySite }) => bodySite)),
  modality: ({ modality = [] }) => ofCodes(modality),
  startedMonth: (study) => ofStart(study, 7),
  startedYear: (study) => ofStart(study, 4),
  status: ({ status }) => [{ value: status }],
};

/** Returns the field `facets` of a connection that has found these studies (FG-30). */
export function studyFacets(found: readonly { study: ImagingStudy }[]) {
  return fieldMember((args: Args) => {
    const limit = facetLimit(args['_count']);
    const valuesOf = VALUES[args['by'] as keyof typeof VALUES];
    const counts = new Map<string, Facet>();
    for (const { study } of found) {
      const values = new Map(valuesOf(study).map((one) => [`${one.system ?? ''}|${one.value}`, one]));
      for (const [key, value] of values) {
        const facet = counts.get(key) ?? { ...value, count: 0 };
        counts.set(key, facet);
        facet.count++;
      }
    }
    const { top, ...left } = mostFrequent([...counts.values()], limit);
    return left.others > 0 ? [...top, left] : top;
  });
}
