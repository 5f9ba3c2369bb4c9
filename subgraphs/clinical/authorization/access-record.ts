import type { Resource } from 'fhir/r4.js';
import type { Access } from '../../../schema/access/access.ts';
import type { Operation, RecordOperation } from '../../../schema/access/audit.ts';
import { ALLOWED, outcomeOf, querySummary } from '../../../schema/access/audit.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import { isResourceType } from '../../../schema/fhir/tables.ts';
import { andThen, orElse, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { Compartment } from './compartment.ts';
import type { SearchParams } from '../sources/source.ts';

/** Records the operations of one request on the clinical record, allowed or denied, with their patients (IA-30). */
export class AccessRecord {
  readonly #access: Access;
  readonly #compartment: Compartment;
  readonly #record: RecordOperation | undefined;
  /** The patient of a token for one patient: all its data belong to that patient. */
  readonly #context: string | undefined;

  constructor(access: Access, compartment: Compartment, record: RecordOperation | undefined) {
    this.#access = access;
    this.#compartment = compartment;
    this.#record = record;
    this.#context =
      access.patients !== 'all' && access.patients.length === 1 ? access.patients[0]!.id : undefined;
  }

  /** @param resources those among the result whose patients are recorded */
  read<T>(
    { type, id }: { type: string; id: string },
    run: () => Awaitable<T>,
    resources: (found: T) => readonly Resource[],
  ): Awaitable<T> {
    const target = FHIR_ID.test(id) ? { target: id } : {};
    const named = type === 'Patient' ? target.target : undefined;
    return this.#recorded({ action: 'read', ...typed(type), ...target }, named, run, resources);
  }

  async search<T extends { resources: Resource[] }>(
    type: string,
    params: SearchParams,
    run: () => Promise<T>,
  ): Promise<T> {
    const asked = { action: 'search', ...typed(type), query: querySummary(type, params) } as const;
    return this.#recorded(asked, namedPatient(type, params), run, ({ resources }) => resources);
  }

  #recorded<T>(
    asked: Omit<Operation, 'outcome'>,
    named: string | undefined,
    run: () => Awaitable<T>,
    resources: (found: T) => readonly Resource[],
  ): Awaitable<T> {
    const record = this.#record;
    if (!record) return run();
    const recordAllowed = (found: T): T => {
      const one = named ?? this.#context;
      const each = one === undefined ? this.#owners(resources(found)) : [one];
      for (const patient of each) record({ outcome: ALLOWED, ...asked, patient });
      if (each.length === 0) record({ outcome: ALLOWED, ...asked });
      return found;
    };
    return orElse(
      () => andThen(run(), recordAllowed),
      (error) => {
        // A resource that is missing or out of reach need not belong to the token's patient.
        const unknown = error instanceof Fault && ['forbidden', 'not_found'].includes(error.code);
        const patient = named ?? (unknown ? undefined : this.#context);
        record({ ...asked, patient, outcome: outcomeOf(error) });
        throw error;
      },
    );
  }

  #owners(resources: readonly Resource[]): string[] {
    const owners = new Set(resources.flatMap((resource) => this.#compartment.owners(resource)));
    const { patients } = this.#access;
    // A resource of several patients counts only for those in the caller's reach.
    return [...owners].filter((id) => patients === 'all' || patients.some((patient) => patient.id === id));
  }
}

function typed(type: string): { type?: string } {
  return isResourceType(type) ? { type } : {};
}

/** Returns the patient whom a search names by logical id, if it names one. */
function namedPatient(type: string, params: SearchParams): string | undefined {
  const names = type === 'Patient' ? ['_id'] : ['patient', 'subject'];
  const value = params.find(([name]) => names.includes(name))?.[1] ?? '';
  const id = value.replace(/^Patient\//, '');
  return FHIR_ID.test(id) ? id : undefined;
}
