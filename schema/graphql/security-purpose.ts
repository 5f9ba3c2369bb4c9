/** The links of the directives that say who may see a field. */
const LINKS =
  /(@link\(url: "https:\/\/specs\.apollo\.dev\/(?:authenticated|requiresScopes)\/v[^"]*"), for: SECURITY\)/g;

/**
 * Removes from a supergraph that Apollo's planner must enforce `@authenticated` and `@requiresScopes`: it refuses a
 * supergraph with a security feature that it does not know. The gateway enforces them (FG-31).
 */
export const withoutSecurityPurpose = (supergraphSdl: string): string => supergraphSdl.replace(LINKS, '$1)');
