import type { Identifier, Resource } from 'fhir/r4.js';
import { dateRange } from '../../../../schema/fhir/date-range.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { FHIR_ID, parseReference } from '../../../../schema/fhir/fhir.ts';
import { readToken, splitPrefix, unescapeValue } from '../../../../schema/fhir/search/search-value.ts';
import { parseCriteria, type Criterion } from '../../search/criteria.ts';
import type { ResourceMatcher } from '../resource-matcher.ts';
import type { SearchParams } from '../source.ts';

/**
 * Filters the answer of a FHIR server again, since a server may ignore a parameter, with or without saying so.
 *
 * A parameter that the server did not apply is judged by the rules of the store. A parameter that the server says it
 * applied is judged too, but only as far as the standard leaves it no choice, so that no result is lost that it found by a
 * wider meaning:
 *
 * | parameter | judged although applied |
 * |---|---|
 * | `_id`, codes, `:not`, `:missing`, numbers, quantities without a unit, `:exact`, URIs | exactly |
 * | `identifier` | without case |
 * | dates | with 14 hours on both sides: a date without a zone is in the server's own |
 * | references | by type and id, whatever the base of an absolute one |
 * | strings, phone numbers, units, `:text`, `:in`, `:below`, `ap`, `_lastUpdated` and other metadata, chains | not |
 */
export interface Judgement {
  resources: Resource[];
  /** Names of ignored parameters that the resources alone do not decide. */
  undecided: string[];
}

type Test = (resource: Resource) => boolean;

/** The judge of one parameter: the matcher, a test of its own, or none. */
type Rule = { params: SearchParams } | { test: Test } | undefined;

interface Judged {
  type: string;
  params: SearchParams;
  /** Names of the parameters that the server did not apply. */
  ignored: readonly string[];
}

/** Leaves out the resources that certainly do not match. */
export async function judge(
  matcher: ResourceMatcher,
  { type, params, ignored }: Judged,
  resources: readonly Resource[],
): Promise<Judgement> {
  const undecided = new Set<string>();
  const exact: (readonly [string, string])[] = [];
  const tests: Test[] = [];
  for (const pair of params) {
    const isIgnored = ignored.includes(pair[0]);
    // The server may know when a resource was updated and not tell it in the resource.
    const isHidden = pair[0] === '_lastUpdated' && resources.some(({ meta }) => !meta?.lastUpdated);
    if (isIgnored && (isHidden || !matcher.decides(type, [pair]))) undecided.add(pair[0]);
    const rule = isIgnored ? { params: [pair] } : looseRule(matcher, type, pair);
    if (!rule || undecided.has(pair[0])) continue;
    if ('test' in rule) tests.push(rule.test);
    else if (matcher.decides(type, rule.params)) exact.push(...rule.params);
  }
  const matching = exact.length > 0 ? await matcher.matching(type, resources, [exact]) : resources;
  return {
    resources: matching.filter((resource) => tests.every((test) => test(resource))),
    undecided: [...undecided],
  };
}

/** Metadata are often kept outside of the resource. */
const METADATA = new Set(['_lastUpdated', '_profile', '_security', '_source', '_tag']);

function looseRule(matcher: ResourceMatcher, type: string, [name, value]: SearchParams[number]): Rule {
  const criterion = criterionOf(type, [name, value]);
  if (!criterion || criterion.chain || METADATA.has(criterion.parameter.code)) return undefined;
  const { parameter, modifier } = criterion;
  const asIs: Rule = { params: [[name, value]] };
  if (modifier === 'missing') return asIs;
  switch (parameter.type) {
    case 'token':
      return modifier === 'text' ? undefined : tokenRule(type, criterion, asIs);
    case 'string':
      return modifier === 'exact' ? asIs : undefined;
    case 'number':
      return value.startsWith('ap') ? undefined : asIs;
    case 'quantity':
      // A server may convert units.
      return value.startsWith('ap') || value.includes('|') ? undefined : asIs;
    case 'date':
      return dateRule(criterion);
    case 'reference':
      return modifier === 'identifier' ? undefined : referenceRule(matcher, type, criterion);
    case 'uri':
      return modifier === undefined ? asIs : undefined;
    default:
      return undefined;
  }
}

/** Returns undefined for parameters and modifiers that are not known here. */
function criterionOf(type: string, pair: SearchParams[number]): Criterion | undefined {
  try {
    return parseCriteria(type, [pair])[0];
  } catch (error) {
    if (error instanceof Fault && error.code === 'unsupported_parameter') return undefined;
    throw error;
  }
}

/** Servers compare phone numbers by their digits, and some compare identifiers without case. */
function tokenRule(type: string, { parameter, modifier, values }: Criterion, asIs: Rule): Rule {
  if (/telecom|ContactPoint/.test(parameter.expression)) return undefined;
  if (!/\bidentifier\b/.test(parameter.expression)) return asIs;
  const plain = parameter.expression === `${type}.identifier` && modifier === undefined;
  if (!plain) return undefined;
  const wanted = values.map(readToken).map(({ system, value }) => ({ system, value: value?.toLowerCase() }));
  const test: Test = (resource) =>
    identifiersOf(resource).some((identifier) =>
      wanted.some(
        ({ system, value }) =>
          (system === undefined || system === (identifier.system ?? '')) &&
          (value === undefined || value === String(identifier.value).toLowerCase()),
      ),
    );
  return { test };
}

function identifiersOf(resource: Resource): Identifier[] {
  const { identifier } = resource as { identifier?: unknown };
  return [identifier].flat().filter((item): item is Identifier => typeof item === 'object' && item !== null);
}

/** The largest difference between a server's zone and UTC. */
const ZONE_MS = 14 * 3_600_000;

/** Widens one comparison of dates: a resource outside of it is outside in any zone. */
function dateRule({ parameter: { code }, values }: Criterion): Rule {
  const [text = '', ...others] = values;
  const { prefix, value } = splitPrefix(text);
  const range = dateRange(value);
  if (!range || others.length > 0 || prefix === 'ne' || prefix === 'ap') return undefined;
  const after = (time: number) => `gt${new Date(time - ZONE_MS).toISOString()}`;
  const before = (time: number) => `lt${new Date(time + ZONE_MS).toISOString()}`;
  const isYear = (time: number) => Math.abs(time) < Date.UTC(9999, 0);
  if (!isYear(range.low) || !isYear(range.high)) return undefined;
  if (prefix === 'eq')
    return {
      params: [
        [code, after(range.low)],
        [code, before(range.high)],
      ],
    };
  return {
    params: [[code, prefix.startsWith('g') || prefix === 'sa' ? after(range.low) : before(range.high)]],
  };
}

/** A server behind a proxy may write references with its internal base. */
function referenceRule(matcher: ResourceMatcher, type: string, criterion: Criterion): Rule {
  const { parameter, modifier, values } = criterion;
  // A fragment is within one resource: it leads to none.
  const texts = values.map(unescapeValue).filter((value) => !value.startsWith('#'));
  const targets = texts.map((value) => parseReference(value) ?? idOnly(value, modifier));
  const known = targets.filter((target) => target !== undefined);
  // A canonical URL may stand for another version, and `urn:` is not resolved here.
  if (known.length < targets.length) return undefined;
  const test: Test = (resource) =>
    matcher.rowsOf(type, parameter.code, resource)?.reference.some((reference) => {
      const target = parseReference(reference);
      return known.some(({ type, id }) => id === target?.id && (type === undefined || type === target.type));
    }) ?? false;
  return { test };
}

function idOnly(value: string, modifier: string | undefined): { type?: string; id: string } | undefined {
  if (!FHIR_ID.test(value)) return undefined;
  return { id: value, type: modifier };
}
