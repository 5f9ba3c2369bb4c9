import type { Library, Resource } from 'fhir/r4.js';
import type { FastifyReply, FastifyRequest, preHandlerHookHandler } from 'fastify';
import { Fault } from '../../../schema/fault/fault.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import { contentVersion, sendRead } from '../../../schema/fhir/conditional-read.ts';
import { partOf } from '../../../schema/fhir/elements.ts';
import { readFhirRequest, sendFhir } from '../../../schema/fhir/fhir-request.ts';
import { neighbours, isOnlyPage, mapNeighbours } from '../../../schema/fhir/search/paging.ts';
import {
  leaveOut,
  readSearchRequest,
  unsupported,
  type Parameters,
} from '../../../schema/fhir/search/search-request.ts';
import { ignoredEntries, searchset } from '../../../schema/fhir/search/searchset.ts';
import { fhirBase } from '../../../schema/http/request.ts';
import { askedRequest, resourceOf } from '../../../schema/http/served.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Catalogue, ServedView } from './catalogue.ts';

/** Searches and reads of the tables and questions of a tenant, which are no data of patients: any token has them. */

type Listed = ServedView | (Library & { url: string });

const RULES = { defaultCount: 1_000, maxCount: 1_000, more: {} };
/** Search parameters, each by the element that has to be equal. */
const CRITERIA: Readonly<Record<string, (one: Listed) => string | undefined>> = {
  _id: ({ id }) => id,
  url: ({ url }) => url,
  name: ({ name }) => name,
};

/** A request for one of the types. */
interface Exchange {
  request: FastifyRequest;
  reply: FastifyReply;
  /** Absolute base of FHIR REST. */
  base: string;
}

/**
 * Returns a hook that answers for ViewDefinition and Library, in tenants that have tables. In others the record does.
 * @param catalogueOf returns the catalogue of a tenant
 */
export function answerDefinitions(
  baseUrl: string,
  catalogueOf: (tenant: Tenant) => Catalogue,
): preHandlerHookHandler {
  return (request, reply, done) => {
    const { tenant } = request;
    const type = resourceOf(askedRequest(request));
    if ((type !== 'ViewDefinition' && type !== 'Library') || !tenant.analysis.enabled) return done();
    try {
      answer(type, catalogueOf(tenant), { request, reply, base: fhirBase(baseUrl, tenant) });
    } catch (error) {
      done(error as Error);
    }
  };
}

function answer(type: 'ViewDefinition' | 'Library', catalogue: Catalogue, exchange: Exchange): void {
  const { request } = exchange;
  const { params, routeOptions } = request;
  const { id } = params as { id?: string };
  const all: readonly Listed[] = type === 'Library' ? catalogue.libraries : catalogue.views;
  // They are in no compartment of a patient.
  if (routeOptions.url?.includes('/Patient/')) throw noSuchResource();
  if (routeOptions.url?.includes('/_history'))
    throw new Fault('not_implemented', 'Tables and questions have no versions here.');
  if (id === undefined) return void search(type, all, exchange);
  const found = type === 'Library' ? catalogue.libraries.find((one) => one.id === id) : catalogue.view(id);
  if (!found) throw noSuchResource();
  readFhirRequest(request);
  const resource = asResource(found);
  sendRead(request, exchange.reply, { resource, version: contentVersion(resource) });
}

// eslint-disable-next-line no-restricted-syntax -- a ViewDefinition is sent as a resource, which R4 does not know
const asResource = (one: Listed): Resource => one as unknown as Resource;

function search(type: string, all: readonly Listed[], { request, reply, base }: Exchange): FastifyReply {
  const { parameters, strict } = readFhirRequest(request);
  const { criteria, understood, results, ignored } = readSearchRequest(parameters, strict, RULES);
  const left = [...ignored];
  const kept: Parameters[number][] = [];
  for (const criterion of criteria) {
    if (Object.hasOwn(CRITERIA, criterion[0])) kept.push(criterion);
    else leaveOut(unsupported(criterion[0]), { strict, ignored: left });
  }
  const matching = all.filter((one) =>
    kept.every(([name, value]) => value.split(',').includes(CRITERIA[name]!(one) ?? '')),
  );
  const { count, offset = 0, summary } = results;
  const page = summary === 'count' ? [] : matching.slice(offset, offset + count);
  const url = `${base}/${type}`;
  const around = neighbours({ offset, size: count, total: matching.length });
  const places = mapNeighbours(around, (place): Parameters =>
    place > 0 ? [['_offset', String(place)]] : [],
  );
  const isWhole = summary === 'count' || matching.length === 0 || isOnlyPage({ offset, ...around });
  const bundle = searchset({
    url,
    applied: understood.filter((one) => !criteria.includes(one) || kept.includes(one)),
    entries: [
      ...page.map((one) => ({
        // R4 says of a Library alone which elements a part of it has.
        resource: type === 'Library' ? partOf(asResource(one), results) : asResource(one),
        mode: 'match' as const,
        fullUrl: `${url}/${one.id}`,
      })),
      ...ignoredEntries(left),
    ],
    total: matching.length,
    pages: isWhole ? undefined : { count, places },
  });
  return sendFhir(request, reply, bundle);
}
