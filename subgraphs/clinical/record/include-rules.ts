import type { Access } from '../../../schema/access/access.ts';
import { permitting } from '../../../schema/access/scopes.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { nearestName, quotedName } from '../../../schema/fhir/nearest-name.ts';
import { leaveOut, type Parameter, type Parameters } from '../../../schema/fhir/search/search-request.ts';
import {
  clinicalResources,
  imagingResources,
  searchParameter,
  searchParameters,
  type SearchParameter,
} from '../../../schema/fhir/tables.ts';
import { bindingParameter, reachOf } from '../search/reach.ts';
import type { ClinicalSource } from '../sources/source.ts';

/** `_include` and `_revinclude`: their syntax, and what of them can be done for a caller (R4 §3.1.1.5.4). */

/** One reference parameter that is followed from, or to, the resources of a page. */
export interface IncludeRule {
  /** `_include` adds what resources of `type` refer to; `_revinclude` adds resources of `type` that refer to the page. */
  direction: 'include' | 'revinclude';
  type: string;
  code: string;
  /** Types of the resources referred to. */
  targets: readonly string[];
  /** Types that the parameter may refer to too, but that are not shown to the caller. */
  refused: readonly string[];
  /** Also follows the resources that were included. */
  iterate: boolean;
}

export interface IncludeRules {
  rules: IncludeRule[];
  /** Parameters that are carried out, as they were sent. */
  applied: Parameters;
  /** Faults that strict handling would give for the parts that are left out. */
  ignored: Fault[];
}

export interface IncludeContext {
  /** Type of the resources that are searched. */
  type: string;
  source: ClinicalSource;
  access: Access;
  strict: boolean;
}

const NAME = /^_(include|revinclude)(:iterate|:recurse)?$/;
const VALUE = /^([A-Z][A-Za-z]{1,39}):([\w-]{1,64})(?::([A-Z][A-Za-z]{1,39}))?$/;
/** All references of a type, or of the type that is searched. */
const ALL = /^(?:([A-Z][A-Za-z]{1,39}):)?\*$/;

/** Rules that one search may have: each is a read or a search. */
const MAX_RULES = 30;

/**
 * Reads the parameters `_include` and `_revinclude`; others are passed over.
 * @throws Fault `invalid_request` for a value that has not their syntax, or for too many of them; when `strict`
 *   `unsupported_parameter` or `insufficient_scope` for what cannot be included
 */
export function readIncludes(parameters: Parameters, context: IncludeContext): IncludeRules {
  const rules: IncludeRule[] = [];
  const applied: Parameter[] = [];
  const ignored: Fault[] = [];
  for (const parameter of parameters) {
    const [, direction, iterate] = NAME.exec(parameter[0]) ?? [];
    if (!direction) continue;
    const asked = { direction: direction as IncludeRule['direction'], iterate: iterate !== undefined };
    const found = rulesOf(asked, parameter[1], context);
    if (found instanceof Fault) {
      leaveOut(found, { strict: context.strict, ignored });
      continue;
    }
    applied.push(parameter);
    rules.push(...found);
  }
  if (rules.length > MAX_RULES) {
    throw new Fault(
      'invalid_request',
      `A search follows at most ${MAX_RULES} references by _include and _revinclude.`,
    );
  }
  return { rules, applied, ignored };
}

type Asked = Pick<IncludeRule, 'direction' | 'iterate'>;

/** Returns the rules of one value, or the fault why it cannot be carried out. */
function rulesOf(asked: Asked, value: string, context: IncludeContext): IncludeRule[] | Fault {
  const { direction } = asked;
  const all = direction === 'include' ? ALL.exec(value) : null;
  const [, type, code, target] = all ? [value, all[1] ?? context.type, '*'] : (VALUE.exec(value) ?? []);
  if (!type || !code) {
    if (/^(\w+:)?\*$/.test(value))
      return cannot('_revinclude takes a type and a parameter: * is not supported.');
    throw new Fault(
      'invalid_request',
      `_${direction} takes Type:parameter or Type:parameter:TargetType, for example ${context.type}:patient.`,
    );
  }
  if (!clinicalResources.includes(type)) return unknownType(type);
  if (target !== undefined && !clinicalResources.includes(target)) return unknownType(target);
  if (direction === 'include' && type !== context.type && !asked.iterate) {
    return cannot(`_include of ${type} needs :iterate, because ${context.type} is searched.`);
  }
  const parameters = all ? searchParameters(type) : [searchParameter(type, code)];
  const candidates = parameters.filter((one) => one?.type === 'reference') as SearchParameter[];
  if (candidates.length === 0) return unknownCode(type, code);
  if (direction === 'revinclude') {
    if (!context.source.supports(type, code)) return unknownCode(type, code);
    const refusal = unsearchable(type, context);
    if (refusal) return refusal;
  }
  const rules = candidates.map(({ code, targets = [] }): IncludeRule => {
    const wanted = targets.filter((one) => target === undefined || one === target);
    const covered = wanted.filter((one) => isCovered(one, asked, context));
    const refused = wanted.filter((one) => !covered.includes(one));
    return { ...asked, type, code, targets: covered, refused };
  });
  const possible = rules.filter(({ targets }) => targets.length > 0);
  return possible.length > 0 ? possible : uncovered(candidates, { ...asked, target }, context);
}

/** Returns true when references to a type can be followed: forwards to what may be read, backwards to what was found. */
function isCovered(target: string, { direction, iterate }: Asked, { type, access }: IncludeContext): boolean {
  if (!clinicalResources.includes(target)) return false;
  if (direction === 'revinclude') return target === type || iterate;
  if (permitting(access.permissions, target, 'r').length === 0) return false;
  return access.patients === 'all' || reachOf(target) !== 'never';
}

function unsearchable(type: string, { access }: IncludeContext): Fault | undefined {
  if (permitting(access.permissions, type, 's').length === 0) return scopeNeeded(`${type}.rs`, access);
  if (access.patients === 'all' || bindingParameter(type)) return undefined;
  return new Fault('forbidden', `${type} cannot be searched with this token.`);
}

/** Returns why none of the targets can be followed. */
function uncovered(
  candidates: readonly SearchParameter[],
  { direction, target }: Asked & { target: string | undefined },
  { type, access }: IncludeContext,
): Fault {
  const [{ code, targets = [] }] = candidates as [SearchParameter];
  if (direction === 'revinclude' || (target !== undefined && !targets.includes(target))) {
    return cannot(`${quotedName(code)} does not refer to ${target ?? type}.`);
  }
  const wanted = target === undefined ? targets : [target];
  const known = wanted.filter((one) => clinicalResources.includes(one));
  const missing = known.find((one) => permitting(access.permissions, one, 'r').length === 0);
  return missing === undefined
    ? cannot(`What ${quotedName(code)} refers to is not shown here.`)
    : scopeNeeded(`${missing}.r`, access);
}

function scopeNeeded(needed: string, { permissions }: Access): Fault {
  const scope = `${permissions[0]?.level ?? 'patient'}/${needed}`;
  return new Fault('insufficient_scope', `To include these resources, ${scope} is needed.`, { scope });
}

const cannot = (message: string): Fault => new Fault('unsupported_parameter', message);

function unknownType(type: string): Fault {
  if (imagingResources.includes(type)) {
    return cannot(`${type} is not included with the record: search ImagingStudy by patient.`);
  }
  return cannot(
    `${quotedName(type)} is no resource type of the record. The nearest is "${nearestName(type, clinicalResources)}".`,
  );
}

function unknownCode(type: string, code: string): Fault {
  const codes = searchParameters(type).filter((one) => one.type === 'reference');
  const nearest = nearestName(
    code,
    codes.map((one) => one.code),
  );
  return cannot(
    `${type} has no reference parameter ${quotedName(code)} here.${nearest === undefined ? '' : ` The nearest is "${nearest}".`}`,
  );
}
