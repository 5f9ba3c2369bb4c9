import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import { decodeCursor, requirePageSize } from '../../../schema/fhir/search/paging.ts';
import { searchArguments, type Args } from '../../../schema/fhir/search/search-arguments.ts';
import type { Parameter } from '../../../schema/fhir/search/search-request.ts';
import { Derivation } from '../../../schema/process/derivation.ts';
import { parseSearch, type ImagingStudySearch } from '../fhir/search.ts';

/** Format of the offset in a cursor. */
const OFFSET = /^\d{1,9}$/;

/**
 * Converts GraphQL arguments to a search of the studies of a patient, or of all.
 * @throws Fault like `searchArguments`, `requirePageSize` and `parseSearch`
 */
export function searchOf(args: Args, patient?: string): ImagingStudySearch {
  const search = searches.of(args, [], () => parsedSearch(args));
  if (patient === undefined) return search;
  if (!FHIR_ID.test(patient)) return parsedSearch(args, patient);
  return {
    ...search,
    patients: [[{ id: patient }], ...search.patients],
    applied: [['patient', patient], ...search.applied],
  };
}

/** Parsed searches by their arguments: of a document without variables these are the same frozen object for all requests. */
const searches = new Derivation<Args, ImagingStudySearch>();

function parsedSearch(args: Args, patient?: string): ImagingStudySearch {
  const { params, sort } = searchArguments('ImagingStudy', args);
  const parameters: Parameter[] = patient === undefined ? params : [['patient', patient], ...params];
  const offset =
    typeof args['_cursor'] === 'string' ? Number(decodeCursor(args['_cursor'], OFFSET)) : args['_offset'];
  const { _count: count } = args;
  if (typeof count === 'number') {
    requirePageSize('ImagingStudy', count);
    parameters.push(['_count', String(count)]);
  }
  if (typeof offset === 'number') parameters.push(['_offset', String(offset)]);
  if (sort !== undefined) parameters.push(['_sort', sort]);
  return parseSearch(parameters, { strict: true, patientBases: [] });
}
