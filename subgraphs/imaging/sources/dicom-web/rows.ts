import type { DicomElement, DicomJson } from '../../../../schema/dicom.ts';
import { nonsense } from './client.ts';

/** Bytes of one answer: a study of ten thousand objects has a tenth of it. */
const MAX_BYTES = 256 * 1024 * 1024;
/** Sequences nest a few levels; what is deeper is an attack or rubbish. */
const MAX_DEPTH = 64;
const TAG = /^[0-9A-Fa-f]{8}$/;

/**
 * Data sets of the DICOM JSON model (PS3.18 Annex F) out of an answer that can be anything: what is given has the shape
 * that its type promises. Elements that have not are left out, so that one of them does not cost the others.
 * @throws Fault `bad_gateway` for what is no list of data sets, is nested too deep, or is too large
 */
export async function readRows(body: AsyncIterable<Uint8Array>): Promise<DicomJson[]> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    if ((size += chunk.length) > MAX_BYTES) throw nonsense();
    chunks.push(chunk);
  }
  let rows: unknown;
  try {
    rows = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw nonsense();
  }
  if (!Array.isArray(rows)) throw nonsense();
  return rows.map((row) => {
    if (!isObject(row)) throw nonsense();
    return dataset(row, 0);
  });
}

function dataset(row: Record<string, unknown>, depth: number): DicomJson {
  if (depth > MAX_DEPTH) throw nonsense();
  const result: DicomJson = {};
  for (const [tag, value] of Object.entries(row)) {
    const element = TAG.test(tag) && isObject(value) ? elementOf(value, depth) : undefined;
    if (element) result[tag.toUpperCase()] = element;
  }
  return result;
}

function elementOf({ vr, Value, InlineBinary, BulkDataURI }: Record<string, unknown>, depth: number) {
  if (typeof vr !== 'string' || (Value !== undefined && !Array.isArray(Value))) return undefined;
  const element: DicomElement = { vr };
  if (Value) element.Value = Value.map((value) => valueOf(vr, value, depth));
  if (typeof InlineBinary === 'string') element.InlineBinary = InlineBinary;
  if (typeof BulkDataURI === 'string') element.BulkDataURI = BulkDataURI;
  return element;
}

/** A number, a text, an item, a person's name; null for anything else. */
function valueOf(vr: string, value: unknown, depth: number): unknown {
  if (vr === 'SQ') return isObject(value) ? dataset(value, depth + 1) : null;
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
