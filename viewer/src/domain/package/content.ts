/** The index of a take-along package: the record as it was, and where the images are among its bytes. */
import type { Instance } from '../instance.ts';
import type { PatientRecord, Trend } from '../record/record.ts';
import type { Range } from './container.ts';

export interface PackageIndex {
  record: PatientRecord;
  /** By the code that they are asked for. */
  trends: Readonly<Record<string, readonly Trend[]>>;
  series: readonly PackedSeries[];
  /** By SOP Instance UID. */
  files: Readonly<Record<string, PackedFile>>;
  /** Values that metadata give by reference, by their address. */
  values: Readonly<Record<string, readonly Range[]>>;
  missing: readonly MissingImages[];
}

export interface PackedSeries {
  uid: string;
  /** Metadata of all of its instances, also of those that are missing. */
  instances: readonly Instance[];
  /** A JPEG or PNG. */
  thumbnail?: { type: string; range: Range };
}

export interface PackedFile {
  range: Range;
  /** Transfer Syntax UID of its frames. */
  transferSyntax: string;
  /** Of each frame, the parts that it consists of. */
  frames: readonly (readonly Range[])[];
}

/** Images that did not arrive when the package was made. */
export interface MissingImages {
  /** Number of the series, or its place among those that have none. */
  series: string;
  count: number;
}
