import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import { isPixelData } from '../dicom/part10/dataset.ts';
import { RowSplitter } from './archive/row-splitter.ts';

export interface BulkDataUrisTask {
  /** Metadata of objects: a list of the DICOM JSON model in UTF-8. */
  json: Uint8Array;
  /** `pixeldata`: only the pixel data of the objects themselves, and none of their icons. */
  values: 'bulkdata' | 'pixeldata';
}

/** Returns the BulkDataURI of each value that the metadata give by reference (PS3.18 §F.2.2), in their order. */
export function bulkDataUris({ json, values }: BulkDataUrisTask): string[] {
  const splitter = new RowSplitter(() => undefined);
  return splitter.push(json).flatMap((row) => {
    const dataset = JSON.parse(Buffer.from(row).toString('utf8')) as DicomJson;
    return urisOf(values === 'bulkdata' ? dataset : pixelsOf(dataset));
  });
}

function pixelsOf(dataset: DicomJson): DicomJson {
  return Object.fromEntries(Object.entries(dataset).filter(([tag]) => isPixelData(tag)));
}

function urisOf(dataset: DicomJson): string[] {
  return Object.values(dataset).flatMap(({ vr, Value = [], BulkDataURI }) => {
    if (BulkDataURI !== undefined) return [BulkDataURI];
    return vr === 'SQ' ? Value.flatMap((item) => urisOf((item ?? {}) as DicomJson)) : [];
  });
}
