import type { Coding, ImagingStudy, ImagingStudySeries } from 'fhir/r4.js';
import { Tag } from '../../../schema/dicom/dicom.ts';
import { facetLimit, mostFrequent, type Facet, type STUDY_FACETS } from '../../../schema/fhir/facets.ts';
import type { Args } from '../../../schema/fhir/search/search-arguments.ts';
import { fieldMember } from '../../../schema/graphql/graphql-fault.ts';
import type { CountedBy, StudyCount } from '../sources/source.ts';
import { studyDocument } from '../study/document/study-document.ts';

type Value = Pick<Facet, 'value' | 'system' | 'display'>;

const ofCodes = (codes: readonly (Coding | undefined)[]): Value[] =>
  codes.flatMap((coding) => {
    if (coding?.code === undefined) return [];
    const { code: value, system, display } = coding;
    return [{ value, system, display }];
  });
/** @param length characters of the date: 4 of a year, 7 of a month */
const ofStart = ({ started }: Counted, length: number): Value[] =>
  started === undefined || started.length < length ? [] : [{ value: started.slice(0, length) }];

/** A facet: where the index of a folder has its values, and which of them a study has. */
interface StudyFacet {
  by: CountedBy;
  valuesOf(study: Counted): Value[];
}

/** The part of a study whose values are counted. */
interface Counted {
  modality?: readonly Coding[];
  series?: readonly Pick<ImagingStudySeries, 'bodySite'>[];
  started?: string | undefined;
  status: string;
}

const STARTED: CountedBy = { level: 'study', tag: Tag.StudyDate };

/** Dates are those that the study states, in its own zone. */
const FACETS: Record<(typeof STUDY_FACETS)[number], StudyFacet> = {
  bodysite: {
    by: { level: 'series', tag: Tag.BodyPartExamined },
    valuesOf: ({ series = [] }) => ofCodes(series.map(({ bodySite }) => bodySite)),
  },
  modality: {
    by: { level: 'series', tag: Tag.Modality },
    valuesOf: ({ modality = [] }) => ofCodes(modality),
  },
  startedMonth: { by: STARTED, valuesOf: (study) => ofStart(study, 7) },
  startedYear: { by: STARTED, valuesOf: (study) => ofStart(study, 4) },
  status: { by: STARTED, valuesOf: ({ status }) => [{ value: status }] },
};

/** A search whose studies are counted. */
export interface CountedSearch {
  /** Studies that were found, with their resources; undefined for all studies, of which only a page was made. */
  resources?: readonly { study: ImagingStudy }[] | undefined;
  /** Counts them in an index, as `AuthorizedStudies.counts`. */
  counts(by: CountedBy): Promise<readonly StudyCount[] | undefined>;
  /** Finds the same with all resources. */
  find(): Promise<readonly { study: ImagingStudy }[]>;
}

/** Returns the field `facets` of a connection (FG-30). Of all studies it is counted in the index of the folder, if that can. */
export function studyFacets({ resources, counts, find }: CountedSearch) {
  return fieldMember(async (args: Args) => {
    const limit = facetLimit(args['_count']);
    const { by, valuesOf } = FACETS[args['by'] as keyof typeof FACETS];
    const indexed = resources ? undefined : await counts(by);
    const studies: readonly { study: Counted; studies?: number }[] =
      indexed?.map((one) => ({ study: studyOf(by, one), studies: one.studies })) ??
      resources ??
      (await find());
    const found = new Map<string, Facet>();
    for (const { study, studies: number = 1 } of studies) {
      const values = new Map(valuesOf(study).map((one) => [`${one.system ?? ''}|${one.value}`, one]));
      for (const [key, value] of values) {
        const facet = found.get(key) ?? { ...value, count: 0 };
        found.set(key, facet);
        facet.count += number;
      }
    }
    const { top, ...left } = mostFrequent([...found.values()], limit);
    return left.others > 0 ? [...top, left] : top;
  });
}

/** Makes a study that has these elements, and nothing else. */
function studyOf({ level, tag }: CountedBy, { elements }: StudyCount): Counted {
  const uid = (value: string) => ({ vr: 'UI', Value: [value] });
  const rows = elements.map((element) => (element ? { [tag]: element } : {}));
  const study = { ...(level === 'study' && rows[0]), [Tag.StudyInstanceUID]: uid('1') };
  const series = level === 'study' ? [] : rows;
  const numbered = series.map((row, at) => ({ ...row, [Tag.SeriesInstanceUID]: uid(`1.${at}`) }));
  const { modality, series: found, started } = studyDocument({ study, series: numbered });
  return { modality, series: found, started, status: 'available' };
}
