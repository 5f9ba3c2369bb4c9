/** The links of the directives that say who may see a field. */
const LINKS =
  /(@link\(url: "https:\/\/specs\.apollo\.dev\/(?:authenticated|requiresScopes)\/v[^"]*"), for: SECURITY\)/g;

/** Returns a supergraph that a stock ApolloGateway loads: it refuses one that says to enforce `@requiresScopes` (FG-31). */
export const withoutSecurityPurpose = (supergraphSdl: string): string => supergraphSdl.replace(LINKS, '$1)');
