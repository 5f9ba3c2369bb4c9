import { ROUTER_SUPPORTED_SUPERGRAPH_FEATURES, Supergraph } from '@apollo/federation-internals';
import { parse } from 'graphql';

/**
 * Loads a supergraph as Apollo's router does: the gateway enforces `@requiresScopes` (FG-31), which Apollo's own gateway
 * refuses to load. It takes long, and is for threads.
 * @throws Error for a supergraph that is not valid, where that is asked for
 */
export function loadedSupergraph(sdl: string, { validate }: { validate: boolean }): Supergraph {
  return Supergraph.build(parse(sdl, { noLocation: true }), {
    validateSupergraph: validate,
    supportedFeatures: ROUTER_SUPPORTED_SUPERGRAPH_FEATURES,
  });
}
