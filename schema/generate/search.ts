import type { SearchParameter as Definition } from 'fhir/r4.js';
import { splitOutside } from '../expressions/fhirpath.ts';
import type { SearchComponent, SearchParameter, SearchType } from '../fhir/tables.ts';
import type { Definitions } from './definitions.ts';
import { compareText } from '../process/texts.ts';
import { impliedSystems } from './implied-systems.ts';

/** Parameters of every resource, except `_text` and `_content` (need a text engine) and `_query` (needs named queries). */
const common = new Set(['_id', '_lastUpdated', '_profile', '_security', '_source', '_tag']);

/** Returns the search parameters of a resource type, sorted by code, with expressions that begin at that type. */
export function searchParametersOf(resource: string, definitions: Definitions): SearchParameter[] {
  const { searchParameters } = definitions;
  const codes = new Map(searchParameters.map((definition) => [definition.url, definition.code]));
  return searchParameters
    .filter(({ base, code }) => (base as readonly string[]).includes(resource) || isCommon(base, code))
    .map((definition) => {
      const parameter = searchParameter(resource, definition, codes);
      const systems =
        parameter.type === 'token' ? impliedSystems(resource, parameter.expression, definitions) : undefined;
      return systems ? { ...parameter, systems } : parameter;
    })
    .sort((a, b) => compareText(a.code, b.code));
}

function isCommon(base: readonly string[], code: string): boolean {
  return base[0] === 'Resource' && common.has(code);
}

function searchParameter(
  resource: string,
  definition: Definition,
  codes: ReadonlyMap<string, string>,
): SearchParameter {
  const branches = splitOutside(definition.expression ?? '', '|').filter((branch) =>
    startsAt(branch, resource),
  );
  const resolved = branches.map((branch) => /\.where\(resolve\(\) is (\w+)\)$/.exec(branch)?.[1]);
  const parameter: SearchParameter = {
    code: definition.code,
    type: definition.type as SearchType,
    description: descriptionFor(resource, definition),
    expression: branches.map(portable).join(' | '),
  };
  if (definition.type === 'reference') {
    const narrowed = resolved.filter((target) => target !== undefined);
    parameter.targets =
      narrowed.length > 0 && narrowed.length === branches.length
        ? [...new Set(narrowed)]
        : ([...(definition.target ?? [])].sort(compareText) as string[]);
  }
  if (definition.type === 'composite') {
    parameter.components = (definition.component ?? []).map((component): SearchComponent => ({
      code: codes.get(component.definition) ?? '',
      expression: splitOutside(component.expression, '|').map(portable).join(' | '),
    }));
  }
  return parameter;
}

function startsAt(branch: string, resource: string): boolean {
  return /^\(*(\w+)/.exec(branch)?.[1] === resource || /^\(*(Resource|DomainResource)\b/.test(branch);
}

/**
 * Rewrites FHIRPath that engines refuse or evaluate wrongly: `as` fails on more than one item where `ofType` filters, and
 * `resolve()` would read other resources (`targets` has the type instead).
 */
function portable(branch: string): string {
  return branch
    .replace(/\.where\(resolve\(\) is \w+\)$/, '')
    .replace(/\((\S+) as (\w+)\)/g, '$1.ofType($2)')
    .replace(/\.as\((\w+)\)/g, '.ofType($1)')
    .replace(/\.ofType\(DateTime\)/g, '.ofType(dateTime)');
}

/** Returns the description for a resource: common parameters have one line for each: `* [Condition](condition.html): …`. */
function descriptionFor(resource: string, { description }: Definition): string {
  const lines = (description ?? '').split(/\r?\n/);
  const own = lines.find((line) => line.includes(`[${resource}](`));
  return (own === undefined ? (lines[0] ?? '') : own.slice(own.indexOf(': ') + 2)).trim();
}
