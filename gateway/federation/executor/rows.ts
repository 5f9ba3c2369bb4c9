import type { CompiledField, CompiledOperation, CompiledSelection, RowWriter } from './compiled.ts';

/** The rows that an execution takes out of its answer. */
export interface WantedRows {
  format: RowFormat;
  /** Names of the answer's members down to a row, through lists. */
  path: readonly string[];
  /** The rows, after the execution. */
  found?: { head: string; texts: readonly string[] };
}

/** The format in which rows are written. */
export interface RowFormat {
  /** The value of Content-Type. */
  type: string;
  /** Prepares to write rows of a selection. */
  of(selection: CompiledSelection): RowWriter;
}

/**
 * Changes a compiled operation so that its rows are not in the answer, where each is null, but in `Run.rows`. No text around a
 * row is kept: a kept text is not written again, and its rows would be missing.
 */
export function takeRows(operation: CompiledOperation, { format, path }: WantedRows): void {
  let selection: CompiledSelection | undefined = operation.root;
  let field: CompiledField | undefined;
  for (const name of path) {
    if (selection) selection.kept = undefined;
    field = selection?.fields.find((one): one is CompiledField => 'nodes' in one && one.name === name);
    if (field) field.keepsList = false;
    selection = field?.selections[0];
  }
  if (!field || !selection) return;
  const rows = format.of(selection);
  operation.rows = rows;
  field.write = (value, place) => {
    place.run.rows.push(rows.write(value as object, place));
    return 'null';
  };
}
