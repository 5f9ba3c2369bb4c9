/**
 * Standardized uptake value by body weight (PS3.3 §C.8.9.1): how much more activity a place has than it would have if the
 * dose were spread evenly. Its factor turns the values of a PET, Bq/ml, into g/ml. `@cornerstonejs/calculate-suv` does not
 * read Decay Correction: values corrected to the injection (ADMIN) come out too high, uncorrected ones get a number too.
 */
import { secondsOf, secondsOfDateTime } from '../dicom-time.ts';
import { items } from '../../../../schema/dicom/dicom.ts';
import { positive, text, type Instance } from '../instance.ts';
import { metadataOfFrames } from './frames.ts';

/** Why there is no SUV. */
export type SuvGap =
  'units' | 'corrections' | 'weight' | 'dose' | 'half-life' | 'injection-time' | 'scan-time';

/** `factor` is SUV of a value of 1; rescaling (PS3.3 §C.11.1) comes before it. */
export type Suv = { factor: number; gap?: undefined } | { factor?: undefined; gap: SuvGap };

const DAY = 86_400;
/** After so many half-lives a PET shows nothing: the times do not belong together, as after careless de-identification. */
const MOST_HALF_LIVES = 10;

/** Returns the SUV of a series; undefined if it is no PET. @param instances all of the series: its scan begins with the earliest */
export function suvOf(instances: readonly Instance[]): Suv | undefined {
  if (instances[0] === undefined || text(instances[0], '00080060') !== 'PT') return undefined;
  // An enhanced object has times and units in its functional groups.
  const images = instances.flatMap(metadataOfFrames);
  const first = images[0]!;
  const units = text(first, '00541001');
  const type = text(first, '00541006') ?? 'BW';
  if (units === 'GML' && type === 'BW') return { factor: 1 };
  if (units !== 'BQML') return { gap: 'units' };
  const weight = positive(first, '00101030');
  if (weight === undefined) return { gap: 'weight' };
  const dose = doseOf(first, images);
  return typeof dose === 'string' ? { gap: dose } : { factor: (weight * 1000) / dose };
}

/** Returns the dose in Bq at the time to which the values are corrected for decay. */
function doseOf(first: Instance, images: readonly Instance[]): number | SuvGap {
  const corrected = (first['00280051']?.Value ?? []).map(String);
  if (!['ATTN', 'DECY'].every((one) => corrected.includes(one))) return 'corrections';
  const decay = text(first, '00541102');
  if (decay !== 'START' && decay !== 'ADMIN') return 'corrections';
  const drug = items(first, '00540016')[0] ?? {};
  const dose = positive(drug, '00181074');
  if (dose === undefined) return 'dose';
  if (decay === 'ADMIN') return dose;
  const halfLife = positive(drug, '00181075');
  if (halfLife === undefined) return 'half-life';
  const scan = scanBegin(first, images);
  if (scan === undefined) return 'scan-time';
  const elapsed = sinceInjection(first, drug, scan);
  if (elapsed === undefined || elapsed > MOST_HALF_LIVES * halfLife) return 'injection-time';
  return dose * 2 ** (-elapsed / halfLife);
}

/** The time of the series; where that is later than an acquisition the series was made afterwards, and the earliest counts. */
function scanBegin(first: Instance, images: readonly Instance[]): number | undefined {
  const acquired = images.flatMap(
    (image) =>
      secondsOfDateTime(image, text(image, '00189074')) ??
      secondsOf(image, '00080022', '00080032') ??
      secondsOfDateTime(image, text(image, '0008002A')) ??
      [],
  );
  if (acquired.length === 0) return undefined;
  const earliest = acquired.reduce((a, b) => Math.min(a, b));
  return Math.min(secondsOf(first, '00080021', '00080031') ?? earliest, earliest);
}

/** Seconds between injection and scan. A time without a date may be of the day before: then it would be after the scan. */
function sinceInjection(first: Instance, drug: Instance, scan: number): number | undefined {
  const dated = secondsOfDateTime(first, text(drug, '00181078'));
  if (dated !== undefined) return dated <= scan ? scan - dated : undefined;
  const time = text(drug, '00181072');
  if (time === undefined) return undefined;
  const onTheDay = secondsOf({ ...first, '00181072': { vr: 'TM', Value: [time] } }, '00080021', '00181072');
  if (onTheDay === undefined) return undefined;
  return onTheDay <= scan ? scan - onTheDay : scan - onTheDay + DAY;
}
