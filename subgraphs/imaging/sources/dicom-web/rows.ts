import type { DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { Budget, OverBudget } from '../../dicom/part10/budget.ts';
import { slices } from '../stored/slices.ts';
import { nonsense } from '../../parsing/archive/nonsense.ts';
import { datasetOf, NODES_PER_ELEMENT } from '../../parsing/archive/dataset.ts';
import { RowSplitter, type RowSize } from '../../parsing/archive/row-splitter.ts';

/** Bytes of one answer: the rows of some ten thousand objects. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Bytes of one row of a search, and elements and values in it: a hundred times what servers give. */
const MAX_ROW = 256 * 1024;
const ROW_ELEMENTS = 5000;

/**
 * Rows of a search, data sets of the DICOM JSON model (PS3.18 Annex F), out of an answer that can be anything: what is
 * given has the shape that its type promises. Elements that have not are left out, so that one of them does not cost the
 * others. Others have their turn meanwhile.
 * @throws Fault `bad_gateway` for what is no list of data sets, is nested too deep, or is too large
 */
export async function readRows(body: AsyncIterable<Uint8Array>): Promise<DicomJson[]> {
  const rows: DicomJson[] = [];
  const pause = slices();
  for await (const row of rowsOf(body, checkRow, { mostBytes: MAX_BYTES })) {
    try {
      rows.push(datasetOf(row, new Budget(ROW_ELEMENTS)));
    } catch (error) {
      throw error instanceof OverBudget ? nonsense(error) : error;
    }
    await pause();
  }
  return rows;
}

function checkRow({ bytes, nodes }: RowSize): void {
  if (bytes > MAX_ROW || nodes > NODES_PER_ELEMENT * ROW_ELEMENTS) throw nonsense();
}

/** Bytes of all objects of an array, and the fault of more (default: `bad_gateway`). */
interface Room {
  mostBytes: number;
  tooMuch?: ((mostBytes: number) => Fault) | undefined;
}

/**
 * The objects of a JSON array, each as bytes.
 * @param checkRow as of `RowSplitter`
 * @throws Fault `bad_gateway`
 */
export async function* rowsOf(
  body: AsyncIterable<Uint8Array>,
  checkRow: (size: RowSize) => void,
  { mostBytes, tooMuch = tooManyRows }: Room,
): AsyncGenerator<Uint8Array> {
  const splitter = new RowSplitter(checkRow);
  let size = 0;
  for await (const chunk of body) {
    if ((size += chunk.length) > mostBytes) throw tooMuch(mostBytes);
    yield* splitter.push(chunk);
  }
  splitter.end();
}

function tooManyRows(mostBytes: number): Fault {
  const message = `The image archive answered more than ${mostBytes / 2 ** 20} MB. Ask for less at a time.`;
  return new Fault('bad_gateway', message, { service: 'imaging' });
}
