import type { PatientGrant } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { ImagingSource, SourceQuery } from '../sources/source.ts';
import type { Imaging } from '../study/studies.ts';
import { rowOf } from './metadata-rows.ts';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import { encodeMetadata } from '../parsing/object-metadata.ts';
import { Budget } from '../dicom/part10/budget.ts';
import { patient, testAccess, testTenant, type TestSubgraph } from './subgraph.ts';

/**
 * The image sources of a tenant as one source, for the contract suite: what stands before them (DW-18) is behind an
 * Access, which is here everybody's, or that of the patients whom a search is restricted to.
 * @param images of the tenant, with these options in each
 */
export function asSource(
  { subgraph }: TestSubgraph,
  images: (more: object) => object,
): Omit<ImagingSource, 'close'> {
  const everything = (signal?: AbortSignal): Imaging =>
    subgraph.open(testTenant(images({}), 'contract'), testAccess('all', 'system/ImagingStudy.rs'), signal);
  const restricted = (patientIds: NonNullable<SourceQuery['patientIds']>): Imaging => {
    const nobody: PatientGrant = { id: 'nobody', identity: { id: 'nobody', identifier: [] } };
    const patients = patientIds.map(({ value }, index) => patient(`p${index}`, value));
    const issuer = patientIds[0]?.issuer;
    const tenant = testTenant(images(issuer === undefined ? {} : { issuer }), 'contract');
    return subgraph.open(tenant, testAccess(patients.length > 0 ? patients : [nobody]));
  };
  return {
    async search({ patientIds, ...query }) {
      try {
        return (await (patientIds ? restricted(patientIds) : everything()).search(query)).rows;
      } catch (error) {
        // A study of somebody else is not there, for a caller; for a source it has no rows that are theirs.
        if (patientIds && error instanceof Fault && error.code === 'not_found') return [];
        throw error;
      }
    },
    async metadata(target, signal) {
      const metadata = await everything(signal).encodedMetadata(target);
      const rows = JSON.parse(String(await metadata.encoded('', 'identity'))) as DicomJson[];
      return rows.map((row) =>
        encodeMetadata(rowOf({ json: Buffer.from(JSON.stringify(row)) }), target, new Budget()),
      );
    },
    async *retrieve(target, transferSyntax, signal) {
      yield* await everything(signal).retrieve(target, transferSyntax);
    },
    frames: (target, numbers, signal) => everything(signal).frames(target, numbers),
    bulkdata: (target, path, signal) => everything(signal).bulkdata(target, path),
    async check(signal = new AbortController().signal) {
      const tenant = testTenant(images({}), 'contract');
      for (const index of tenant.images.keys()) await subgraph.checks.checkSource(tenant, index, signal);
    },
  };
}
