import { Fault } from '../../../schema/fault/fault.ts';
import { parseName } from '../search/criteria.ts';
import type { SearchParams } from '../search/search-params.ts';

/**
 * Searches of the record that lead to studies of the images: `_has:ImagingStudy:patient:modality` of a Patient, also behind
 * a chain (`patient._has:ImagingStudy:patient:modality`). The images find the patients; the record takes them as a condition.
 */

const OF_STUDIES = /^((?:.*?[.:])?)_has:ImagingStudy:([\w-]+):(.+)$/s;

export interface StudySearch {
  /** Leads from the searched type to the patients: empty, or a chain with its dot. */
  before: string;
  /** A search parameter of ImagingStudy, with its value. */
  name: string;
  value: string;
}

/** Returns true for a parameter that leads to studies. */
export const asksStudies = ([name]: SearchParams[number]): boolean => name.includes('_has:ImagingStudy:');

/**
 * Reads the searches of studies among the parameters of a search.
 * @throws Fault `unsupported_parameter` for one that does not lead from patients to their studies, or to the record again
 */
export function studySearches(type: string, params: SearchParams): StudySearch[] {
  return params.flatMap(([asked, value]) => {
    const [, before = '', reference, name] = OF_STUDIES.exec(asked) ?? [];
    if (name === undefined) {
      if (asksStudies([asked, value])) throw onlyPatients();
      return [];
    }
    const isOfPatients = endsOf(type, `${before}_id`).every((end) => end === 'Patient');
    const isByPatient = ['patient', 'subject'].includes(reference!);
    if (!isOfPatients || !isByPatient || asksStudies([name, value])) throw onlyPatients();
    return [{ before, name, value }];
  });
}

function onlyPatients(): Fault {
  const message =
    'Only patients are searched by studies, once: Patient?_has:ImagingStudy:patient:modality=CT. Search studies by the record, such as ImagingStudy?patient._has:Condition:patient:code=….';
  return new Fault('unsupported_parameter', message);
}

/** Returns the types in which a name searches at its end; none for one that is not known. */
function endsOf(type: string, name: string): readonly string[] {
  const parsed = parseName(type, name);
  if (!parsed) return [''];
  const { chain, has } = parsed;
  const inner = chain?.name ?? has?.name;
  if (inner === undefined) return [type];
  return (chain?.types ?? [has!.type]).flatMap((target) => endsOf(target, inner));
}
