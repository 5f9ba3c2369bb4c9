import type { DicomElement, DicomJson } from '../../../../schema/dicom/dicom.ts';
import { utf8 } from '../../../../schema/process/texts.ts';
import { withNumericTexts } from '../../dicom/numeric-value.ts';
import type { Budget } from '../../dicom/part10/budget.ts';
import { invalidAnswer } from './archive-faults.ts';

/** Most objects, arrays and commas in the JSON of an element or value. */
export const NODES_PER_ELEMENT = 4;
/** Levels of sequences. Real objects have a few; more is an attack or rubbish. */
const MAX_DEPTH = 64;
const TAG = /^[0-9A-Fa-f]{8}$/;

/**
 * Parses one data set, and keeps only members that its type allows.
 * @throws Fault `bad_gateway` when it is not a data set; OverBudget
 */
export function datasetOf(json: Uint8Array, budget: Budget): DicomJson {
  let row: unknown;
  try {
    row = JSON.parse(withNumericTexts(utf8(json)));
  } catch {
    throw invalidAnswer();
  }
  if (!isObject(row)) throw invalidAnswer();
  return dataset(row, 0, budget);
}

function dataset(row: Record<string, unknown>, depth: number, budget: Budget): DicomJson {
  if (depth > MAX_DEPTH) throw invalidAnswer();
  const result: DicomJson = {};
  for (const [tag, value] of Object.entries(row)) {
    budget.count();
    const element = TAG.test(tag) && isObject(value) ? elementOf(value, depth, budget) : undefined;
    if (element) result[tag.toUpperCase()] = element;
  }
  return result;
}

function elementOf(
  { vr, Value, InlineBinary, BulkDataURI }: Record<string, unknown>,
  depth: number,
  budget: Budget,
) {
  if (typeof vr !== 'string' || (Value !== undefined && !Array.isArray(Value))) return undefined;
  const element: DicomElement = { vr };
  if (Value) {
    budget.count(Value.length);
    element.Value = Value.map((value) => valueOf(vr, value, depth, budget));
  }
  if (typeof InlineBinary === 'string') element.InlineBinary = InlineBinary;
  if (typeof BulkDataURI === 'string') element.BulkDataURI = BulkDataURI;
  return element;
}

/** Returns a number, a text, an item or a person name; null for anything else. */
function valueOf(vr: string, value: unknown, depth: number, budget: Budget): unknown {
  if (vr === 'SQ') return isObject(value) ? dataset(value, depth + 1, budget) : null;
  if (typeof value === 'string' || typeof value === 'number') return value;
  if (vr !== 'PN' || !isObject(value)) return null;
  return Object.fromEntries(
    ['Alphabetic', 'Ideographic', 'Phonetic'].flatMap((group) =>
      typeof value[group] === 'string' ? [[group, value[group]]] : [],
    ),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
