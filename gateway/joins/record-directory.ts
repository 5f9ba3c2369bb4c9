import type { Coding, ImagingStudy } from 'fhir/r4.js';
import type { Access, PatientIdentity } from '../../schema/access/access.ts';
import { copyWith } from '../../schema/process/copy-with.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { DICOM_UID_SYSTEM, uidFromToken } from '../../schema/fhir/fhir.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { patientRecord } from '../identity/patient-record.ts';
import { resolveIdentity, type UnclearReason } from '../identity/resolve-identity.ts';
import type { UpstreamDeps } from '../smart/token/upstream.ts';
import { joinedReads } from './joined-reads.ts';
import { numberOwners } from './number-owners.ts';
import { escaped, ifFound, recordLookup, type ClinicalRecord } from './record-lookup.ts';
import { ACCESSION_HOLDERS, accessionNumbersOf } from './accessions.ts';

/** UIDs in one search: the length of a URL is limited. */
const MOST_UIDS = 50;
/** If a search for the UIDs of one request finds more studies than this, its answer is refused. */
const MOST_STUDIES = 500;

/** Looks up patients, accession numbers and labels in the clinical record, within the caller's rights. */
export function patientDirectory(
  open: (tenant: Tenant, access: Access) => ClinicalRecord,
  { now, onUnclear }: Pick<UpstreamDeps, 'now' | 'onUnclear'> = { now: Date.now },
) {
  const read = joinedReads(open);
  const owners = numberOwners(open, now);
  return {
    async read(tenant: Tenant, access: Access, patientId: string): Promise<PatientIdentity | undefined> {
      const patient = await ifFound(read(tenant, access, patientId));
      const record = patient && patientRecord({ ...patient }, patientId);
      if (!record) return undefined;
      const lookup = recordLookup(() => open(tenant, forPatients(access)));
      const unclear = (reason: UnclearReason) => onUnclear?.(tenant, reason);
      return ifFound(resolveIdentity(record, { lookup, onUnclear: unclear, now: now() }));
    },

    find(tenant: Tenant, access: Access, mrn: string, system?: string): Promise<string | undefined> {
      return system === undefined
        ? owners.find(tenant, access, mrn)
        : owners.findOne(tenant, access, mrn, `${escaped(system)}|${escaped(mrn)}`);
    },

    accessionNumbers(tenant: Tenant, access: Access, patientId: string): Promise<readonly string[]> {
      // This search is the gateway's, not the caller's: it finds the studies that the caller may see (IA-11).
      const [{ level = 'patient' } = {}] = access.permissions;
      const permissions = ACCESSION_HOLDERS.map((type) => ({ level, type, interactions: 'rs' }));
      const record = open(tenant, copyWith(access, { permissions }));
      return accessionNumbersOf((type, search) => record.search(type, search), patientId);
    },

    async labels(tenant: Tenant, access: Access, studyUids: readonly string[]) {
      const labels = new Map<string, string[]>();
      if (tenant.clinical.type === 'none') return labels;
      // This search is the gateway's, not the caller's: labels also count for a caller who may only read studies. Nor is it
      // told to the caller: it decides what the caller may see (IA-7).
      const { calls: _, ...caller } = access;
      const asking: Access = {
        ...caller,
        permissions: [{ level: 'patient', type: 'ImagingStudy', interactions: 'rs' }],
      };
      const record = open(tenant, asking);
      const found: ImagingStudy[] = [];
      for (let start = 0; start < studyUids.length; start += MOST_UIDS) {
        const tokens = studyUids
          .slice(start, start + MOST_UIDS)
          .map((uid) => `${DICOM_UID_SYSTEM}|urn:oid:${uid}`);
        const params = [['identifier', tokens.join(',')]] as const;
        const { resources, next } = await record.search('ImagingStudy', { params, count: MOST_STUDIES });
        if (next !== undefined) {
          throw new Fault('bad_gateway', 'The clinical server has too many studies of one UID.', {
            service: 'clinical',
          });
        }
        found.push(...(resources as ImagingStudy[]));
      }
      for (const { identifier = [], meta } of found) {
        const own = (meta?.security ?? []).map((label: Coding | null) => {
          if (typeof label?.code === 'string') return `${label.system ?? ''}|${label.code}`;
          // A label without a code cannot be compared with a rule, and might be one that the rule means.
          throw new Fault('bad_gateway', 'The clinical record has a security label without a code.', {
            service: 'clinical',
          });
        });
        for (const { system, value } of identifier) {
          if (system !== DICOM_UID_SYSTEM || value === undefined) continue;
          const uid = uidFromToken(value);
          labels.set(uid, [...(labels.get(uid) ?? []), ...own]);
        }
      }
      return labels;
    },
  };
}

/** Like the search for accession numbers, a lookup of records is the gateway's: it says whose numbers these are. */
function forPatients(access: Access): Access {
  const [{ level = 'system' } = {}] = access.permissions;
  return { ...access, permissions: [{ level, type: 'Patient', interactions: 'rs' }] };
}
