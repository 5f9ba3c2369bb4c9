import type { CodeableConcept, Observation, Quantity } from 'fhir/r4.js';
import { texts, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { items } from '../dicom/dicom-text.ts';
import { codeOf, conceptOf, describeCode, type PrivateSchemes, type SrCode } from './sr-code.ts';

/** The value of a NUM item: a quantity, or text where the number could be misunderstood, or the reason of its absence. */
export type MeasuredValue = Pick<Observation, 'valueQuantity' | 'valueString' | 'dataAbsentReason'>;

/** DS and its relatives (PS3.5 §6.2). */
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
/** Characters of a UCUM unit; a circumflex only as in `10^` and `[m/s2/Hz^0.5]`. */
const UCUM = /^(?!.*(?<!10)\^(?![^[]*\]))[!-~]{1,64}$/;

const UNITS_OF_MEASURE = 'http://unitsofmeasure.org';

/** Reads a NUM item (PS3.3 §C.18.1). A number without a unit of UCUM, or with a remark on it, is only text. */
export function measuredValue(item: DicomJson, schemes: PrivateSchemes): MeasuredValue {
  const measured = items(item, '0040A300');
  const remark = codeOf(item, '0040A301', schemes);
  const written = measured.flatMap((one) => texts(one, '0040A30A'));
  if (written.length === 0) return { dataAbsentReason: remark ? conceptOf(remark) : UNKNOWN };
  const unit = measured[0] && codeOf(measured[0], '004008EA', schemes);
  const quantity = measured.length === 1 && written.length === 1 && !remark && quantityOf(written[0]!, unit);
  if (quantity) return { valueQuantity: quantity };
  const described = unit && (isUcum(unit) ? unit.value : describeCode(unit));
  const text = [written.join(', '), described, remark && `(${remark.meaning})`];
  return { valueString: text.filter(Boolean).join(' ') };
}

function quantityOf(written: string, unit: SrCode | undefined): Quantity | undefined {
  const text = written.trim();
  const value = Number(text);
  if (!NUMBER.test(text) || !Number.isFinite(value) || !unit || !isUcum(unit)) return undefined;
  return { value, unit: unit.meaning, system: UNITS_OF_MEASURE, code: unit.value! };
}

function isUcum({ system, value }: SrCode): boolean {
  return system === UNITS_OF_MEASURE && value !== undefined && UCUM.test(value);
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
