import type { Access } from '../../schema/access/access.ts';
import type { RecordOperation } from '../../schema/access/audit.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { RequestValues } from '../../schema/process/request-values.ts';
import type { Abortable } from '../../schema/process/request-end.ts';
import type { StudiesRecord } from './record-studies.ts';

/** End and audit of a request. */
type Request = [over?: Abortable, audit?: RecordOperation];
type Open<Core> = (tenant: Tenant, access: Access, ...request: Request) => Core;

/**
 * Lets the patient directory use the record that the graph has opened for the same request: patients that the request has
 * read are not read again (FG-6). The graph has an Access of its own for each request.
 * @param clinical the clinical subgraph
 */
export function requestRecords<Subgraph extends { open: Open<{ unrecorded: StudiesRecord }> }>(
  clinical: Subgraph,
) {
  const opened = new RequestValues<Access, StudiesRecord>();
  const open: Open<{ unrecorded: StudiesRecord }> = (tenant, access, ...request) => {
    const record = clinical.open(tenant, access, ...request);
    opened.set(access, record.unrecorded);
    return record;
  };
  return {
    /** The same subgraph, which remembers the records that it opens for the graph. */
    subgraph: { ...clinical, open } as Subgraph,
    /** Opens a record for the directory, whose reads are the gateway's own: the audit trail does not have them. */
    open: (tenant: Tenant, access: Access): StudiesRecord =>
      opened.get(access) ?? clinical.open(tenant, access).unrecorded,
  };
}
