import { LARGEST_PAGE } from '../../../schema/fhir/search/paging.ts';
import {
  leaveOut,
  readSearchRequest,
  type Handling,
  type Parameters,
  type ResultRules,
  type Results,
} from '../../../schema/fhir/search/search-request.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { elementNames } from '../../../schema/fhir/elements.ts';
import { nearestName, quotedName } from '../../../schema/fhir/nearest-name.ts';
import type { Search } from '../record/search.ts';

/** Result parameters of the record. */
const RESULTS: ResultRules = {
  defaultCount: 50,
  maxCount: LARGEST_PAGE,
  // The source decides by which keys it can sort, and the caller's reach what can be included.
  more: { _sort: () => true, _cursor: () => true, _include: () => true, _revinclude: () => true },
};

/** A search of the record, and the form of its answer. */
interface RecordSearch {
  search: Search;
  results: Results;
  /** `_include` and `_revinclude` as they were sent. */
  includes: Parameters;
  /** The parameters that were left out, each as the fault that strict handling gives. */
  ignored: readonly Fault[];
}

/**
 * Reads the parameters of a search.
 * @throws Fault like `readSearchRequest`, and `invalid_request` for `_summary=text` with an `_include`
 */
export function parseSearch(type: string, parameters: Parameters, strict: boolean): RecordSearch {
  const read = readSearchRequest(parameters, strict, RESULTS);
  const ignored = [...read.ignored];
  const results = withKnownElements(type, read.results, { strict, ignored });
  const includes = read.understood.filter(([name]) => /^_(rev)?include(:|$)/.test(name));
  const { count, offset, cursor, sort, summary } = results;
  if (summary === 'text' && includes.length > 0) {
    // R4 §3.1.1.5.8: the two cannot be mixed.
    throw new Fault('invalid_request', '_summary=text cannot be mixed with _include and _revinclude.');
  }
  const total = summary === 'count' ? 'accurate' : results.total;
  return {
    search: {
      // One resource is requested even when only the total is wanted: not every source counts without.
      params: read.criteria,
      count: Math.max(1, count),
      strict,
      total,
      offset,
      cursor,
      ...(sort.length > 0 && { sort: sort.join(',') }),
    },
    results,
    includes,
    ignored,
  };
}

/**
 * Reads the parameters of a read: only those that select parts of the resource count.
 * @throws Fault like `readSearchRequest`; `invalid_request` for `_summary=count`, which only searches have
 */
export function parseRead(type: string, parameters: Parameters, strict: boolean): Results {
  const { results } = readSearchRequest(parameters, strict, RESULTS);
  if (results.summary === 'count') {
    throw new Fault('invalid_request', 'Only a search can be counted, not a read.');
  }
  return withKnownElements(type, results, { strict, ignored: [] });
}

/** Drops the names in `_elements` that the type does not have. */
function withKnownElements(type: string, results: Results, handling: Handling): Results {
  if (!results.elements) return results;
  const names = elementNames(type);
  const elements = results.elements.filter((element) => {
    const [name = ''] = element.split('.');
    if (names.includes(name)) return true;
    leaveOut(unknownElement(type, name, names), handling);
    return false;
  });
  const { elements: _, ...others } = results;
  // Without any name that is left, the whole resource is meant.
  return elements.length > 0 ? { ...others, elements } : others;
}

function unknownElement(type: string, name: string, names: readonly string[]): Fault {
  return new Fault(
    'unsupported_parameter',
    `${type} has no element ${quotedName(name)}. The nearest is "${nearestName(name, names)}".`,
  );
}
