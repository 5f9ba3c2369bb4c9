import type { PatientGrant } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { ImagingSource, SourceQuery } from '../sources/source.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import { rowOf } from './metadata-rows.ts';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import { encodeMetadata } from '../parsing/object-metadata.ts';
import { Budget } from '../dicom/part10/budget.ts';
import { patient, testAccess, testTenant, type TestSubgraph } from './subgraph.ts';

/**
 * Returns the image sources of a tenant as one source (DW-18), for the contract suite. Searches with PatientIDs use an
 * Access to these patients, other calls an Access to all.
 * @param images returns the images of the tenant, with these options in each
 */
export function asSource(
  { subgraph }: TestSubgraph,
  images: (more: object) => object,
): Omit<ImagingSource, 'close'> {
  const everything = (signal?: AbortSignal): AuthorizedStudies =>
    subgraph.open(
      testTenant(images({}), 'contract'),
      testAccess('all', 'system/ImagingStudy.rs'),
      signal && { signal },
    );
  const restricted = (patientIds: NonNullable<SourceQuery['patientIds']>): AuthorizedStudies => {
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
        // For a caller, a study of another patient is not found. A source returns no rows of it.
        if (patientIds && error instanceof Fault && error.code === 'not_found') return [];
        throw error;
      }
    },
    async metadata(target, signal) {
      const metadata = await everything(signal).read(target, '', (study) => study.encodedMetadata(target));
      const rows = JSON.parse(String(await metadata.encoded('', 'identity'))) as DicomJson[];
      return rows.map((row) =>
        encodeMetadata(rowOf({ json: Buffer.from(JSON.stringify(row)) }), target, new Budget()),
      );
    },
    async *retrieve(target, transferSyntax, signal) {
      yield* await everything(signal).read(target, '', (study) => study.objects(target, transferSyntax));
    },
    frames: (target, numbers, signal) =>
      everything(signal).read(target, '', (study) => study.frames(target, numbers)),
    bulkdata: (target, path, signal) =>
      everything(signal).read(target, '', (study) => study.bulkdata(target, path)),
    async check(signal = new AbortController().signal) {
      const tenant = testTenant(images({}), 'contract');
      for (const index of tenant.images.keys()) await subgraph.checks.checkSource(tenant, index, signal);
    },
  };
}
