import type { GraphQLError } from 'graphql';
import { RESOURCE_LIST } from '../document/operation-cost.ts';
import type { RequestScope } from '../request/request-scope.ts';
import type { CompiledField, TypeName } from './compiled.ts';
import { within, type EarlyList, type Place, type Run } from './run.ts';

/**
 * Begins the lists of a patient whom the token names.
 * @param patient the field whose value is awaited
 * @param place of the patient
 * @returns what ends with the searches; undefined if none was begun
 */
export function beginLists(patient: CompiledField, place: Place): Promise<unknown> | undefined {
  if (patient.fieldName !== 'Patient' || patient.parent.name !== 'Query') return undefined;
  const { run } = place;
  const id = String(run.argumentsOf(patient)['id']);
  if (!isOfToken(id, run)) return undefined;
  const lists = new Map<CompiledField, EarlyList>();
  for (const list of patient.selections[0]?.fields ?? []) {
    if (!needsIdOnly(list)) continue;
    const begun = begin(list, { resourceType: 'Patient', id }, place);
    if (begun) lists.set(list, begun);
  }
  if (lists.size === 0) return undefined;
  run.early.set(place, { id, lists });
  return Promise.allSettled([...lists.values()].map(({ value }) => value));
}

/**
 * Returns a list that was begun for a patient; undefined for any other field.
 * @param source the patient
 * @param place of the patient
 */
export function takeList(field: CompiledField, source: object, place: Place): Promise<unknown> | undefined {
  const { run } = place;
  const early = run.early.size > 0 ? run.early.get(place) : undefined;
  const list = early?.lists.get(field);
  if (!list || (source as { id?: unknown }).id !== early!.id) return undefined;
  return list.value.finally(() => run.context.partial.push(...list.partial));
}

/** Tells if a token names a patient. One that reaches all patients says nothing of a single one. */
function isOfToken(id: string, { context }: Run): boolean {
  const { request, fetches } = context as { request?: RequestScope; fetches?: object };
  // Rows are read page by page, and the fields of other processes are fetched together.
  if (!request || request.rows || fetches) return false;
  const { patients } = request.access;
  return patients !== 'all' && patients.some((one) => one.id === id);
}

function needsIdOnly(field: CompiledField | TypeName): field is CompiledField {
  if (!('nodes' in field) || field.isRefused || field.crossing || !field.resolve) return false;
  return RESOURCE_LIST.test(field.fieldName);
}

/** Calls the resolver of a list. @returns undefined where it fails at once: it fails again when the patient is there */
function begin(field: CompiledField, patient: object, around: Place): EarlyList | undefined {
  const { run } = around;
  const place = within(around, field.name, field.parent.name);
  const partial: GraphQLError[] = [];
  const context = { ...run.context, partial };
  try {
    const value = field.resolve!(patient, run.argumentsOf(field), context, run.infoOf(field, place));
    return value instanceof Promise ? { value, partial } : undefined;
  } catch {
    return undefined;
  }
}
