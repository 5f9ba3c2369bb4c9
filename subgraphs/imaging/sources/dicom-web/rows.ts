import type { DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { Budget, OverBudget } from '../../dicom/part10/budget.ts';
import { turns } from '../../../../schema/process/event-loop.ts';
import { invalidAnswer } from '../../parsing/archive/archive-faults.ts';
import { datasetOf, NODES_PER_ELEMENT } from '../../parsing/archive/dataset.ts';
import { RowSplitter, type RowSize } from '../../parsing/archive/row-splitter.ts';

/** Bytes of one answer: rows of about ten thousand objects. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Bytes of one row of a search, and its elements and values: a hundred times as many as servers send. */
const MAX_ROW = 256 * 1024;
const ROW_ELEMENTS = 5000;

/**
 * Reads rows of a search, data sets of the DICOM JSON model (PS3.18 Annex F), from an answer that is not trusted.
 * Invalid elements are omitted and the others kept. Lets other work continue between rows.
 * @throws Fault `bad_gateway` for an answer that is not a list of data sets, nested too deep, or too large
 */
export async function readRows(body: AsyncIterable<Uint8Array>): Promise<DicomJson[]> {
  const rows: DicomJson[] = [];
  const pause = turns();
  for await (const row of rowsOf(body, checkRow, { mostBytes: MAX_BYTES })) {
    try {
      rows.push(datasetOf(row, new Budget(ROW_ELEMENTS)));
    } catch (error) {
      throw error instanceof OverBudget ? invalidAnswer(error) : error;
    }
    await pause();
  }
  return rows;
}

function checkRow({ bytes, nodes }: RowSize): void {
  if (bytes > MAX_ROW || nodes > NODES_PER_ELEMENT * ROW_ELEMENTS) throw invalidAnswer();
}

/** Most bytes of all objects of an array, and the fault for more (default: `bad_gateway`). */
interface Room {
  mostBytes: number;
  tooMuch?: ((mostBytes: number) => Fault) | undefined;
}

/**
 * Yields the objects of a JSON array, each as bytes.
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
