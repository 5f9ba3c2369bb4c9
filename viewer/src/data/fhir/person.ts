import type { Person } from '../../domain/record/record.ts';
import { omitEmpty, present, type FhirIdentifier, type FhirPatient } from './shapes.ts';
import { hasCode } from './words.ts';

export function personOf(patient: FhirPatient): Person {
  return omitEmpty({
    id: patient.id ?? '',
    name: nameOf(patient),
    birthDate: patient.birthDate ?? undefined,
    gender: patient.gender ?? undefined,
    mrns: recordNumbers(present(patient.identifier)),
    deceased: patient.deceasedDateTime ?? (patient.deceasedBoolean === true ? (true as const) : undefined),
  });
}

/** Returns the name for display: the official one, or else the first that is in use; empty if there is none. */
export function nameOf({ name }: Pick<FhirPatient, 'name'>): string {
  const names = present(name);
  const used =
    names.find(({ use }) => use === 'official') ?? names.find(({ use }) => use !== 'old' && use !== 'maiden');
  const best = used ?? names[0];
  return best?.text ?? [...present(best?.given), best?.family].filter(Boolean).join(' ');
}

/** Returns the identifiers of type MR; if none has it, the first one: as the gateway finds images (DW-19). */
function recordNumbers(identifiers: readonly FhirIdentifier[]): string[] {
  const typed = identifiers.filter(({ type }) => hasCode(type, 'MR'));
  const chosen = typed.length > 0 ? typed : identifiers.slice(0, 1);
  return chosen.flatMap(({ value }) => value ?? []);
}
