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
  /** `?category=…` of a granular scope: narrows what the scope covers, all pairs at once. */
  parameters?: readonly (readonly [name: string, value: string])[];
}

const SCOPE = /^(patient|user|system)\/([A-Z][A-Za-z]*|\*)\.(read|write|\*|c?r?u?d?s?)(?:\?(.*))?$/;
const V1: Record<string, string> = { read: 'rs', write: 'cud', '*': 'cruds' };

/**
 * Reads a space-separated scope string (SM-5). Scopes that are not clinical (`openid`, `launch/patient`) and ones that
 * the grammar does not allow (no letter, letters out of order, a malformed constraint) grant nothing.
 */
export function parseScopes(scope: string): Permission[] {
  return scope.split(/\s+/).flatMap((text) => {
    const [, level, type, suffix, query] = SCOPE.exec(text) ?? [];
    if (!level || !type || !suffix) return [];
    const permission = { level: level as ScopeLevel, type, interactions: V1[suffix] ?? suffix };
    if (query === undefined) return [permission];
    // Only the v2 grammar has constraints; `.read?…` is neither version.
    if (V1[suffix]) return [];
    const parameters = [...new URLSearchParams(query)];
    // A constraint that cannot be read must not turn into a wider grant: the scope is dropped.
    return parameters.length > 0 && parameters.every(([name, value]) => name && value)
      ? [{ ...permission, parameters }]
      : [];
  });
}

/** Types whose access goes with another type's scope (SM-6). */
const GOVERNED_BY: Record<string, string> = { Endpoint: 'ImagingStudy' };

/** The permissions that cover this interaction on this type; none means refused. */
export function permitting(
  permissions: readonly Permission[],
  type: string,
  interaction: Interaction,
): Permission[] {
  const governing = GOVERNED_BY[type] ?? type;
  return permissions.filter(
    (permission) =>
      (permission.type === '*' || permission.type === governing) &&
      permission.interactions.includes(interaction),
  );
}

/** What one interaction on one type may reach. */
export interface Coverage {
  /** Alternatives of granular constraints, each a list of pairs that must all hold; undefined where unconstrained. */
  constraints?: readonly (readonly (readonly [name: string, value: string])[])[];
}

/**
 * Refuses unless the caller's scopes cover the interaction (SM-6, IA-6).
 * @throws Fault `insufficient_scope`, naming the scope that would suffice
 */
export function requireScope(
  access: { permissions: readonly Permission[] },
  type: string,
  interaction: Interaction,
): Coverage {
  const granted = permitting(access.permissions, type, interaction);
  if (granted.length === 0) {
    const level = access.permissions[0]?.level ?? 'patient';
    const scope = `${level}/${GOVERNED_BY[type] ?? type}.${interaction === 'r' || interaction === 's' ? 'rs' : interaction}`;
    throw new Fault(
      'insufficient_scope',
      `The token's scopes do not cover this request: ${scope} is needed.`,
      {
        scope,
      },
    );
  }
  if (granted.some(({ parameters }) => parameters === undefined)) return {};
  return { constraints: granted.map(({ parameters }) => parameters!) };
}
