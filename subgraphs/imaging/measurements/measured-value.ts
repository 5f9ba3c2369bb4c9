import type { CodeableConcept, Observation, Quantity } from 'fhir/r4.js';
import { items, texts, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { decimalOf } from '../../../schema/fhir/decimal.ts';
import { isUcum, UCUM } from '../../../schema/fhir/ucum.ts';
import { decimalText } from '../dicom/numeric-value.ts';
import { srCodeOf, conceptOf, describeCode, type PrivateSchemes, type SrCode } from './sr-code.ts';

/** The value of a NUM item: a quantity, or text where the number could be misunderstood, or the reason of its absence. */
export type MeasuredValue = Pick<Observation, 'valueQuantity' | 'valueString' | 'dataAbsentReason'>;

/** Reads a NUM item (PS3.3 §C.18.1). A number without a unit of UCUM, or with a remark on it, is only text. */
export function measuredValue(item: DicomJson, schemes: PrivateSchemes): MeasuredValue {
  const measured = items(item, '0040A300');
  const remark = srCodeOf(item, '0040A301', schemes);
  const written = measured.flatMap((one) => texts(one, '0040A30A'));
  if (written.length === 0) return { dataAbsentReason: remark ? conceptOf(remark) : UNKNOWN };
  const unit = measured[0] && srCodeOf(measured[0], '004008EA', schemes);
  const quantity = measured.length === 1 && written.length === 1 && !remark && quantityOf(written[0]!, unit);
  if (quantity) return { valueQuantity: quantity };
  const described = unit && (isUnit(unit) ? unit.value : describeCode(unit));
  const text = [written.join(', '), described, remark && `(${remark.meaning})`];
  return { valueString: text.filter(Boolean).join(' ') };
}

function quantityOf(written: string, unit: SrCode | undefined): Quantity | undefined {
  const exact = decimalText(written);
  if (exact === undefined || !unit || !isUnit(unit)) return undefined;
  // FHIR's types have a number here; a decimal with its zeros is marked text until it is written.
  return { value: decimalOf(exact) as number, unit: unit.meaning, system: UCUM, code: unit.value! };
}

/** Returns true for a unit that UCUM knows: any other is written for people only. */
function isUnit({ system, value }: SrCode): boolean {
  return system === UCUM && value !== undefined && isUcum(value);
}

const UNKNOWN: CodeableConcept = {
  coding: [
    {
      system: 'http://terminology.hl7.org/CodeSystem/data-absent-reason',
      code: 'unknown',
      display: 'Unknown',
    },
  ],
};
