import DataLoader from 'dataloader';
import type { CapabilityStatementRestResource, Resource } from 'fhir/r4.js';
import { boundedCache, keepPromise } from '../../schema/cache/bounded-cache.ts';
import type { Access } from '../../schema/access/access.ts';
import type { RecordOperation } from '../../schema/access/audit.ts';
import { toFault, type Fault } from '../../schema/fault/fault.ts';
import type { StudyKeys, StudyLinks } from '../../schema/fhir/study-match.ts';
import { RequestValues } from '../../schema/process/request-values.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { Abortable } from '../../schema/process/request-end.ts';
import type { StudiesRecord } from '../joins/record-studies.ts';
import type { FunctionCaller, ServedFunction } from './functions.ts';
import type { SubgraphLink } from './link.ts';
import { fromWire, toWire, type WireFault } from './wire.ts';

/** Questions of other processes to the clinical record: the gateway's for authorization, those of imaging for its joins. */

type Search = Parameters<StudiesRecord['search']>[1];
type Included<Of, One = Fault> = {
  resources: readonly Resource[];
  missing: readonly { of: Of; fault: One }[];
};

interface Caller {
  tenant: Tenant;
  access: Access;
  audit?: RecordOperation | undefined;
}

/** The questions of searches for studies to the record. */
interface Joins<Of> {
  linked(caller: Caller, search: never, patients?: readonly string[]): Promise<readonly StudyLinks[]>;
  included(caller: Caller, studies: readonly StudyKeys[], wanted: never): Promise<Included<Of>>;
}

/** The clinical subgraph of this process. */
export interface ServedRecord {
  open(tenant: Tenant, access: Access, over?: Abortable): { unrecorded: StudiesRecord };
  joins: Joins<object>;
  claims(tenant: Tenant): Promise<readonly CapabilityStatementRestResource[]>;
}

/** Resources that are read together, or why one of them was not. */
type ReadOne = { resource: Resource } | { fault: WireFault };

/** Returns the functions that the clinical process serves. */
export function recordFunctions(clinical: ServedRecord): Record<string, ServedFunction> {
  const recordOf = ({ tenant, access, signal }: FunctionCaller) =>
    clinical.open(tenant, access, { signal }).unrecorded;
  return {
    read: async (caller, { type, ids }: { type: string; ids: readonly string[] }): Promise<ReadOne[]> => {
      const record = recordOf(caller);
      const reads = await Promise.allSettled(ids.map((id) => record.read(type, id)));
      return reads.map((one) =>
        one.status === 'fulfilled' ? { resource: one.value } : { fault: toWire(toFault(one.reason)) },
      );
    },
    search: async (caller, { type, search }: { type: string; search: Search }) => {
      const { resources, next } = await recordOf(caller).search(type, search);
      return { resources, next };
    },
    holds: (caller, { type }: { type: string }) => recordOf(caller).holds(type),
    linked: (caller, { search, patients }: { search: never; patients?: readonly string[] }) =>
      clinical.joins.linked(caller, search, patients),
    included: async (caller, { studies, wanted }: { studies: readonly StudyKeys[]; wanted: never }) => {
      const { resources, missing } = await clinical.joins.included(caller, studies, wanted);
      return { resources, missing: missing.map(({ of, fault }) => ({ of, fault: toWire(fault) })) };
    },
    claims: ({ tenant }) => clinical.claims(tenant),
  };
}

/** Seconds for which it is kept whether a record has resources of a type: that is the same for all callers. */
const HELD_SECONDS = 5;

/** The clinical record of another process. */
export function remoteRecord(link: Pick<SubgraphLink, 'call'>) {
  const held = boundedCache<Promise<boolean>>({ entries: 10_000, seconds: HELD_SECONDS });
  const holds = (tenant: Tenant, access: Access, type: string): Promise<boolean> => {
    const key = `${tenant.cacheKey}\n${type}`;
    return held.get(key) ?? keepPromise(held, key, link.call('holds', { tenant, access }, { type }));
  };
  const readers = new RequestValues<Access, Map<string, DataLoader<string, Resource>>>();
  const readerOf = (tenant: Tenant, access: Access, type: string): DataLoader<string, Resource> => {
    const known = readers.get(access) ?? new Map<string, DataLoader<string, Resource>>();
    readers.set(access, known);
    const reader =
      known.get(type) ??
      new DataLoader<string, Resource>(
        async (ids) => {
          const read = await link.call<ReadOne[]>('read', { tenant, access }, { type, ids });
          return read.map((one) => ('fault' in one ? fromWire(one.fault) : one.resource));
        },
        { cache: false },
      );
    known.set(type, reader);
    return reader;
  };
  const joins: Joins<never> = {
    linked: ({ tenant, access, audit }, search, patients) =>
      link.call('linked', { tenant, access, audit }, { search, patients }),
    async included({ tenant, access, audit }, studies, wanted) {
      const asked = { studies, wanted };
      const found = await link.call<Included<never, WireFault>>('included', { tenant, access, audit }, asked);
      return { ...found, missing: found.missing.map(({ of, fault }) => ({ of, fault: fromWire(fault) })) };
    },
  };
  return {
    /** Opens the record for reads of the gateway's own. Those of one caller that begin together are one request. */
    open: (tenant: Tenant, access: Access): StudiesRecord => ({
      read: (type, id) => readerOf(tenant, access, type).load(id),
      search: (type, search) => link.call('search', { tenant, access }, { type, search }),
      holds: (type) => holds(tenant, access, type),
    }),
    joins,
    claims: (tenant: Tenant) =>
      link.call<readonly CapabilityStatementRestResource[]>('claims', { tenant, access: nobody(tenant) }, {}),
  };
}

/** The Access of a question that is for no caller: it reaches nothing. */
export function nobody({ key, recordKey: record }: Tenant): Access {
  return { tenant: key, record, patients: [], permissions: [], expires: Number.MAX_SAFE_INTEGER };
}
