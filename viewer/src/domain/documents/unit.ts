import type { Code } from '../../../../schema/dicom/code.ts';

/** Returns a unit as it is read: `mm`, but `Hounsfield Unit` for `[hnsf'U]`, and nothing for "no units". (UCUM §12) */
export function unitWords(unit: Code | undefined): string {
  if (!unit || unit.value === '1') return '';
  return !unit.value || /[[\]{}]/.test(unit.value) ? unit.meaning : unit.value;
}
