import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import type { ImagingSource } from '../sources/source.ts';

const BELOW_INSTANCE = /"BulkDataURI":"\/studies\/[^/"]*\/series\/[^/"]*\/instances\/[^/"]*\//g;

/** Returns metadata as a data set with BulkDataURIs relative to the instance. */
export function rowOf({ json }: Pick<ObjectMetadata, 'json'>): DicomJson {
  return JSON.parse(
    Buffer.from(json).toString('utf8').replace(BELOW_INSTANCE, '"BulkDataURI":"'),
  ) as DicomJson;
}

/** Reads metadata of a source as data sets. */
export async function metadataRows(
  source: Pick<ImagingSource, 'metadata'>,
  ...asked: Parameters<ImagingSource['metadata']>
): Promise<DicomJson[]> {
  return (await source.metadata(...asked)).map(rowOf);
}
