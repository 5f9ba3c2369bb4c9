import { Fault } from '../fault/fault.ts';

/** FHIR interactions as SMART v2 letters: create, read, update, delete, search (SMART App Launch 2.2 §4.3). */
export type Interaction = 'c' | 'r' | 'u' | 'd' | 's';
export type ScopeLevel = 'patient' | 'user' | 'system';

/** One granted clinical scope. */
export interface Permission {
  level: ScopeLevel;
  /** A FHIR resource type, or `*`. */
  type: string;
  /** A subset of `cruds`, in that order. */
  interactions: string;
  /** `?category=…` of a granular scope. The scope covers only resources that match all pairs. */
  parameters?: readonly (readonly [name: string, value: string])[];
}

const SCOPE = /^(patient|user|system)\/([A-Z][A-Za-z]*|\*)\.(read|write|\*|c?r?u?d?s?)(?:\?(.*))?$/;
const V1: Record<string, string> = { read: 'rs', write: 'cud', '*': 'cruds' };

/**
 * Reads a space-separated scope string (SM-5). Scopes that are not clinical (`openid`, `launch/patient`) grant nothing,
 * nor do malformed ones (no letter, letters out of order, a malformed constraint).
 */
export function parseScopes(scope: string): Permission[] {
  return scope.split(/\s+/).flatMap((text) => {
    const [, level, type, suffix, query] = SCOPE.exec(text) ?? [];
    if (!level || !type || !suffix) return [];
    const permission = { level: level as ScopeLevel, type, interactions: V1[suffix] ?? suffix };
    if (query === undefined) return [permission];
    // Only v2 scopes have constraints; `.read?…` belongs to neither version.
    if (V1[suffix]) return [];
    const parameters = [...new URLSearchParams(query)];
    // A scope with an unreadable constraint is dropped: without it the grant would be wider.
    return parameters.length > 0 && parameters.every(([name, value]) => name && value)
      ? [{ ...permission, parameters }]
      : [];
  });
}

/** Types that the scope of another type covers (SM-6). */
const GOVERNED_BY: Record<string, string> = { Endpoint: 'ImagingStudy' };

/** Returns the type whose scope covers a type: of most types, the type itself. */
export function governingType(type: string): string {
  return GOVERNED_BY[type] ?? type;
}

/** Returns the permissions that cover an interaction on a type; an empty list means refusal. */
export function permitting(
  permissions: readonly Permission[],
  type: string,
  interaction: Interaction,
): Permission[] {
  const governing = governingType(type);
  return permissions.filter(
    (permission) =>
      (permission.type === '*' || permission.type === governing) &&
      permission.interactions.includes(interaction),
  );
}

/** Resources that one interaction on one type may reach. */
export interface Coverage {
  /** Alternatives of granular constraints, each a list of pairs that must all hold; undefined: unconstrained. */
  constraints?: readonly (readonly (readonly [name: string, value: string])[])[];
}

/**
 * Refuses the interaction unless the caller's scopes cover it (SM-6, IA-6).
 * @throws Fault `insufficient_scope`, which names a sufficient scope
 */
export function requireScope(
  access: { permissions: readonly Permission[] },
  type: string,
  interaction: Interaction,
): Coverage {
  const granted = permitting(access.permissions, type, interaction);
  if (granted.length === 0) throw scopesMissing(access, [{ type, interaction }]);
  if (granted.some(({ parameters }) => parameters === undefined)) return {};
  return { constraints: granted.map(({ parameters }) => parameters!) };
}

/** A scope without its level: `Observation.r`. */
export interface NeededScope {
  type: string;
  interaction: Interaction;
}

/** Alternatives of scopes, each of scopes that are all needed. */
export type NeededScopes = readonly (readonly NeededScope[])[];

/**
 * Returns the scopes that the caller needs beyond the token's, for the first of the alternatives; an empty list when the
 * token covers one of them. A granular scope covers: it decides on each resource, where it is read.
 */
export function missingScopes(
  { permissions }: { permissions: readonly Permission[] },
  alternatives: NeededScopes,
): readonly NeededScope[] {
  const missing = alternatives.map((all) =>
    all.filter(({ type, interaction }) => permitting(permissions, type, interaction).length === 0),
  );
  return missing.some((none) => none.length === 0) ? [] : missing[0]!;
}

/**
 * Returns the refusal of a token without some scopes. It names the least that is sufficient (RFC 6750 §3): `r` for a read,
 * `rs` for a search, as a client reads what it finds.
 */
export function scopesMissing(
  { permissions }: { permissions: readonly Permission[] },
  missing: readonly NeededScope[],
): Fault {
  const level = permissions[0]?.level ?? 'patient';
  const letters = new Map<string, string>();
  for (const { type, interaction } of missing) {
    const governing = governingType(type);
    if (letters.get(governing) !== 'rs') letters.set(governing, interaction === 's' ? 'rs' : interaction);
  }
  const scope = [...letters].map(([type, interactions]) => `${level}/${type}.${interactions}`).join(' ');
  const [are, them] = letters.size > 1 ? ['are', 'them'] : ['is', 'it'];
  return new Fault(
    'insufficient_scope',
    `The token's scopes do not cover this request: ${scope} ${are} needed. Get a token with ${them}.`,
    { scope },
  );
}
