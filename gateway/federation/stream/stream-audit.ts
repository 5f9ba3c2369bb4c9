import type { Operation, Outcome, RecordOperation } from '../../../schema/access/audit.ts';

/**
 * Records a stream once, with its rows and patients, instead of each page with each patient (IA-30). What its rows read
 * besides is recorded as always.
 */
export class StreamAudit {
  readonly #record: RecordOperation | undefined;
  readonly #type: string;
  readonly #patients = new Set<string>();
  #search: Operation | undefined;
  #rows = 0;

  /** @param type of the resources of the rows */
  constructor(record: RecordOperation | undefined, type: string) {
    this.#record = record;
    this.#type = type;
  }

  /** Takes the operations of a page. */
  readonly recordOfPage: RecordOperation = (operation) => {
    if (operation.action !== 'search' || operation.type !== this.#type) return this.#record?.(operation);
    const { patient, ...search } = operation;
    this.#search = search;
    if (patient !== undefined) this.#patients.add(patient);
  };

  /** Counts rows that the client was sent. */
  given(rows: number): void {
    this.#rows += rows;
  }

  /** Records the stream, whether it was complete or not. */
  end(outcome: Outcome): void {
    if (!this.#search) return;
    const [patient, ...others] = this.#patients;
    const whose =
      others.length > 0 ? { patients: this.#patients.size } : patient !== undefined && { patient };
    this.#record?.({ ...this.#search, ...whose, rows: this.#rows, outcome });
  }
}
