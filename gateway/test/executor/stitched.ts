import type { GraphQLDataSource } from '@apollo/gateway';
import { getStitchedSchemaFromSupergraphSdl } from '@graphql-tools/federation';
import type { GraphQLSchema } from 'graphql';
import { print } from 'graphql';
import type { GatewayContext } from '../../federation/request/request-scope.ts';
import type { ServiceName } from '../../federation/request/service-name.ts';

/**
 * Makes one schema of both subgraphs with `@graphql-tools/federation`, which plans and merges by rules of its own: it
 * delegates each field to a subgraph while graphql-js executes the operation.
 */
export function stitchedMonolith(
  supergraphSdl: string,
  services: Readonly<Record<ServiceName, GraphQLDataSource<GatewayContext>>>,
): GraphQLSchema {
  return getStitchedSchemaFromSupergraphSdl({
    supergraphSdl,
    onSubschemaConfig(config) {
      const service = services[config.name.toLowerCase() as ServiceName];
      config.executor = ({ document, variables, context }) =>
        service.process({ request: { query: print(document), variables }, context } as unknown as Parameters<
          typeof service.process
        >[0]) as never;
    },
  });
}
