import type { PatientRecord, Person, Trend } from '../../domain/record/record.ts';
import { findPatients } from '../rest/patients.ts';
import type { Page, RecordSource } from '../source.ts';
import type { Transport } from '../transport.ts';
import type { GraphRecords } from './graph-source.ts';

/** A tenant of our gateway: records by GraphQL, whose client is loaded with the first record; lists of patients by REST. */
export class OwnTenant implements RecordSource {
  readonly #tenant: string;
  readonly #transport: Transport;
  #graph: Promise<GraphRecords> | undefined;

  /** @param tenant `{gateway}/{tenant}`, without a slash at the end */
  constructor(tenant: string, transport: Transport) {
    this.#tenant = tenant;
    this.#transport = transport;
  }

  patients(asked: { text?: string; next?: string }, signal: AbortSignal): Promise<Page<Person>> {
    return findPatients({ base: `${this.#tenant}/fhir`, transport: this.#transport, signal }, asked);
  }

  async record(...asked: Parameters<RecordSource['record']>): Promise<PatientRecord> {
    return (await this.#records()).record(...asked);
  }

  async trend(patientId: string, code: string, signal: AbortSignal): Promise<readonly Trend[]> {
    return (await this.#records()).trend(patientId, code, signal);
  }

  async priors(studyUid: string, signal: AbortSignal): Promise<readonly string[]> {
    return (await this.#records()).priors(studyUid, signal);
  }

  /** A part that did not load is asked for again by the next call. */
  #records(): Promise<GraphRecords> {
    this.#graph ??= import('./graph-source.ts').then(
      ({ GraphRecords }) => new GraphRecords(this.#tenant, this.#transport),
    );
    this.#graph.catch(() => (this.#graph = undefined));
    return this.#graph;
  }
}
