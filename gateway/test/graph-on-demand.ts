import { federatedServer, type FederatedServer } from '../federation/apollo/supergraph.ts';

/**
 * Returns a `federatedServer` that starts with its first request: a start takes a second of CPU time, and most tests of
 * a whole gateway send no GraphQL.
 */
export const graphOnDemand: typeof federatedServer = async (deps) => {
  let starting: Promise<FederatedServer> | undefined;
  let started: FederatedServer | undefined;
  const start = async () => (started = await federatedServer(deps));
  return {
    async answerKnown(...request) {
      const server = await (starting ??= start());
      return server.answerKnown(...request);
    },
    async measured(...request) {
      const server = await (starting ??= start());
      return server.measured(...request);
    },
    async executeHTTPGraphQLRequest(request) {
      const server = await (starting ??= start());
      return server.executeHTTPGraphQLRequest(request);
    },
    async execute(...request) {
      const server = await (starting ??= start());
      return server.execute(...request);
    },
    async prepare(...request) {
      return starting ? (await starting).prepare(...request) : 0;
    },
    document: (text) => started?.document(text),
    async schema() {
      const server = await (starting ??= start());
      return server.schema();
    },
    async stop() {
      await (await starting)?.stop();
    },
  };
};
