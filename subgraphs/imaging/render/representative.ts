import { number, Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import type { Target } from '../sources/source.ts';
import type { InstanceOfStudy, Study } from '../study/study.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';

/** Images that are drawn over others and show little alone: segmentations, doses, parametric maps. */
const DERIVED = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.(66\.[47]|481\.2|30)$/;
/** Video Endoscopic, Microscopic and Photographic Image Storage: no frame of them is drawn here. */
const VIDEO = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.77\.1\.[124]\.1$/;

/**
 * Returns the instance that represents a target: an instance itself; of a series the middle image, which mostly shows
 * the anatomy; of a study that of the series with the most images. Derived images and videos count only if there are no
 * others. A target without images is represented by its first object.
 * @throws Fault `not_found` if there is no instance
 */
export async function representative(
  study: Pick<Study, 'instances'>,
  target: Target,
): Promise<InstanceOfStudy> {
  const { seriesUid, instanceUid } = target;
  if (seriesUid !== undefined && instanceUid !== undefined) return { seriesUid, instanceUid };
  const rows = (await study.instances(seriesUid)).filter(isComplete);
  const images = rows.filter(isImage);
  const areNot = (...classes: RegExp[]) =>
    images.filter((row) => !classes.some((one) => one.test(text(row, Tag.SOPClassUID) ?? '')));
  const candidates = [areNot(DERIVED, VIDEO), areNot(DERIVED), images, rows].find((some) => some.length > 0);
  if (!candidates) throw noSuchObject();
  const series = longestSeries(candidates).sort(byNumber);
  const row = candidates === rows ? series[0]! : series[(series.length - 1) >> 1]!;
  return { seriesUid: text(row, Tag.SeriesInstanceUID)!, instanceUid: text(row, Tag.SOPInstanceUID)! };
}

/**
 * Returns the series with the most images, counting frames; of equal ones the one with the lowest UID, so that the
 * choice is stable.
 */
function longestSeries(rows: readonly DicomJson[]): DicomJson[] {
  const series = new Map<string, DicomJson[]>();
  for (const row of rows) {
    const uid = text(row, Tag.SeriesInstanceUID)!;
    const members = series.get(uid);
    if (members) members.push(row);
    else series.set(uid, [row]);
  }
  const length = (members: readonly DicomJson[]) =>
    members.reduce((sum, row) => sum + (number(row, Tag.NumberOfFrames) ?? 1), 0);
  const [longest] = [...series].sort(
    ([uid, members], [otherUid, others]) => length(others) - length(members) || (uid < otherUid ? -1 : 1),
  );
  return longest![1];
}

function isComplete(row: DicomJson): boolean {
  return text(row, Tag.SeriesInstanceUID) !== undefined && text(row, Tag.SOPInstanceUID) !== undefined;
}

function isImage(row: DicomJson): boolean {
  return (number(row, Tag.Rows) ?? 0) > 0;
}

function byNumber(a: DicomJson, b: DicomJson): number {
  const order = (number(a, Tag.InstanceNumber) ?? 0) - (number(b, Tag.InstanceNumber) ?? 0);
  return order || (text(a, Tag.SOPInstanceUID)! < text(b, Tag.SOPInstanceUID)! ? -1 : 1);
}
