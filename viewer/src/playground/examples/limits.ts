import { missingScopes, parseScopes, type Interaction } from '../../../../schema/access/scopes.ts';
import type { PageFacts } from '../page-facts.ts';
import type { Granted } from '../sign-in/access.svelte.ts';
import type { Example } from './examples.ts';

/**
 * Says why a token does not answer an example in full, and which one would, before it is run.
 * @param granted undefined without a token
 * @returns undefined if it does, or if the token does not say what it opens
 */
export function limitOf(
  { scopes, whose }: Pick<Example, 'scopes' | 'whose'>,
  granted: Pick<Granted, 'scope' | 'patient'> | undefined,
  { access, severalPatients, analyst }: Pick<PageFacts, 'access' | 'severalPatients' | 'analyst'>,
): string | undefined {
  if (granted?.scope !== undefined) {
    const permissions = parseScopes(granted.scope);
    const missing = missingScopes({ permissions }, [scopes.map(scopeOf)]);
    const types = [...new Set(missing.map(({ type }) => type))];
    if (types.length > 0) return lacking(types, permissions[0]?.level ?? 'patient');
  }
  if (whose === 'one' || access === 'none' || (granted && !granted.patient)) return undefined;
  if (!granted && (severalPatients || access === 'pasted')) return undefined;
  const why = granted
    ? 'The token is for one patient: the answer has no other.'
    : 'A sign-in here is for one patient.';
  const how = analyst
    ? 'Sign in as analyst: that gives all.'
    : severalPatients
      ? 'Sign in for all patients that you may see.'
      : 'A token of a backend service, with system/*.rs, gives all.';
  return `${why} ${how}`;
}

function lacking(types: readonly string[], level: string): string {
  const it = types.length > 1 ? 'them' : 'it';
  const names = new Intl.ListFormat('en').format(types);
  const needed = types.map((type) => `${level}/${type}.rs`).join(' ');
  return `The token does not open ${names}, and the answer lacks ${it}. A token with ${needed} gives ${it}.`;
}

/** @param text such as `Observation.s` */
function scopeOf(text: string) {
  const [type = '', interaction] = text.split('.');
  return { type, interaction: interaction as Interaction };
}
