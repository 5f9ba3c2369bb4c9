import DataLoader from 'dataloader';
import type { Patient, Resource } from 'fhir/r4.js';
import type { Access } from '../../schema/access/access.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { RequestValues } from '../../schema/process/request-values.ts';

type Open = (tenant: Tenant, access: Access) => { read(type: string, id: string): Promise<Resource> };

/**
 * Returns a function that reads patients. Reads of one caller that begin at the same time use one record, which makes one
 * request of them (FG-6). Nothing is kept.
 */
export function joinedReads(open: Open): (tenant: Tenant, access: Access, id: string) => Promise<Patient> {
  const readers = new RequestValues<Access, DataLoader<string, Patient>>();
  return (tenant, access, id) => {
    const reader =
      readers.get(access) ?? new DataLoader((ids) => readAll(open(tenant, access), ids), { cache: false });
    readers.set(access, reader);
    return reader.load(id);
  };
}

async function readAll(record: ReturnType<Open>, ids: readonly string[]): Promise<(Patient | Error)[]> {
  const read = await Promise.allSettled(ids.map((id) => record.read('Patient', id)));
  return read.map((one) => (one.status === 'fulfilled' ? (one.value as Patient) : (one.reason as Error)));
}
