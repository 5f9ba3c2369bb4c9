/** Earlier studies that are comparable: of the same kind of modality and the same region, as far as the studies say it. */
import type { Study } from '../../domain/study.ts';
import { startOf } from '../fhir/dates.ts';

/** Modalities that are compared with each other, as our gateway does it. */
const FAMILIES: readonly (readonly string[])[] = [
  ['CR', 'DX', 'RG', 'DR'],
  ['XA', 'RF', 'XF', 'DF'],
  ['NM', 'PT', 'ST'],
  ['OPT', 'OCT'],
  ['OP', 'OPV'],
  ['IO', 'PX'],
];
/** Modalities of objects that describe images, or hold other data. */
const NOT_COMPARED = new Set(
  'AU DOC FID KO OT PLAN PR REG RTDOSE RTPLAN RTRECORD RTSTRUCT RWV SEG SMR SR'.split(' '),
);

/** Returns Study Instance UIDs, newest first. @param studies of one patient, newest first */
export function priorsOf(study: Study, studies: readonly Study[]): string[] {
  const start = startOf(study.started);
  if (start === undefined) return [];
  const families = familiesOf(study);
  const regions = regionsOf(study);
  const earlier = studies.filter(
    (one) => one.uid !== study.uid && (startOf(one.started) ?? Infinity) < start,
  );
  return earlier
    .filter((one) => familiesOf(one).some((family) => families.includes(family)))
    .filter((one) => isSameRegion(regionsOf(one), regions))
    .map(({ uid }) => uid);
}

function familiesOf({ modalities }: Study): string[] {
  const compared = modalities.filter((modality) => !NOT_COMPARED.has(modality));
  return compared.map((modality) => FAMILIES.find((family) => family.includes(modality))?.[0] ?? modality);
}

function regionsOf({ series }: Study): string[] {
  return series.flatMap(({ bodySite }) => bodySite?.toLowerCase() ?? []);
}

/** Studies that say no region are compared with each other only. */
function isSameRegion(some: readonly string[], others: readonly string[]): boolean {
  if (some.length === 0 || others.length === 0) return some.length === others.length;
  return some.some((region) => others.includes(region));
}
