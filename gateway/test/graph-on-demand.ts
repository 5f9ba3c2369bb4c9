import { federatedServer, type FederatedServer } from '../federation/apollo/supergraph.ts';

/**
 * Returns a `federatedServer` that starts with its first request: a start takes a second of CPU time, and most tests of
 * a whole gateway send no GraphQL.
 */
export const graphOnDemand: typeof federatedServer = async (deps) => {
  let starting: Promise<FederatedServer> | undefined;
  return {
    async answerKnown(...request) {
      const server = await (starting ??= federatedServer(deps));
      return server.answerKnown(...request);
    },
    async measured(...request) {
      const server = await (starting ??= federatedServer(deps));
      return server.measured(...request);
    },
    async executeHTTPGraphQLRequest(request) {
      const server = await (starting ??= federatedServer(deps));
      return server.executeHTTPGraphQLRequest(request);
    },
    async execute(...request) {
      const server = await (starting ??= federatedServer(deps));
      return server.execute(...request);
    },
    async prepare(...request) {
      return starting ? (await starting).prepare(...request) : 0;
    },
    async schema() {
      const server = await (starting ??= federatedServer(deps));
      return server.schema();
    },
    async stop() {
      await (await starting)?.stop();
    },
  };
};
