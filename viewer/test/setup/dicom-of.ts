/** Metadata as a DICOM file. */
import {
  EXPLICIT_LITTLE_ENDIAN,
  writeDicomFile,
  type DicomValue,
  type Element,
} from '../../../gateway/demo/dicom-file.ts';
import type { Instance } from '../../src/domain/instance.ts';

/** @param instance with texts, numbers that are written as texts, US and sequences */
export function dicomOf(instance: Instance): Buffer {
  return writeDicomFile(EXPLICIT_LITTLE_ENDIAN, elementsOf(instance));
}

function elementsOf(instance: Instance): Element[] {
  return Object.entries(instance).map(([tag, { vr, Value = [] }]) => ({
    tag: parseInt(tag, 16),
    vr,
    value: valueOf(vr, Value),
  }));
}

function valueOf(vr: string, values: readonly unknown[]): DicomValue {
  if (vr === 'SQ') return (values as Instance[]).map(elementsOf);
  if (vr === 'US') return values.map(Number);
  return values
    .map((one) => (vr === 'PN' ? (one as { Alphabetic: string }).Alphabetic : String(one)))
    .join('\\');
}
