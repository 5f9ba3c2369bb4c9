import type { RecordSource } from '../../data/source.ts';
import type { Trouble } from '../../data/trouble.ts';
import type { PatientRecord } from '../../domain/record/record.ts';
import { troubleOf } from '../browser/trouble-of.ts';

/**
 * The record on the page: loading, begun, there, or in trouble. A begun record has no images yet, and is loading still. A
 * record that is there stays while it is asked for again.
 */
export class RecordState {
  record = $state.raw<PatientRecord>();
  trouble = $state.raw<Trouble>();
  loading = $state(false);
  readonly #source: RecordSource;
  #patient: string | undefined;
  #asking: AbortController | undefined;

  constructor(source: RecordSource) {
    this.#source = source;
  }

  /** Opens the record of a patient; the one on the page goes first, so that it never stands under another name. */
  async open(patientId: string): Promise<void> {
    if (patientId === this.#patient && (this.record || this.loading)) return;
    this.close();
    this.#patient = patientId;
    await this.again();
  }

  /** Asks again for the same patient. */
  async again(): Promise<void> {
    if (this.#patient === undefined) return;
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    this.loading = true;
    this.trouble = undefined;
    let begun: PatientRecord | undefined;
    try {
      const record = await this.#source.record(this.#patient, asking.signal, (first) => {
        if (!asking.signal.aborted) this.record ??= begun = first;
      });
      if (!asking.signal.aborted) this.record = record;
    } catch (error) {
      if (asking.signal.aborted) return;
      this.trouble = troubleOf(error);
      // It would say that there are no images.
      if (begun && this.record === begun) this.record = undefined;
    } finally {
      if (this.#asking === asking) this.loading = false;
    }
  }

  close(): void {
    this.#asking?.abort();
    this.#patient = this.record = this.trouble = undefined;
    this.loading = false;
  }
}
