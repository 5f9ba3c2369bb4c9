import { Fault } from '../../../schema/fault/fault.ts';

/** The way in which values under one name are written. */
interface Kind {
  /** The name without what `@slice` appended, which may be a value of a patient: for messages. */
  name: string;
  /** All values under one name have the same FHIR type. */
  fhirType: string;
  isList: boolean;
  /** True for `@singleton`: one value, also where the name would be a list. */
  isSingleton: boolean;
}

interface Member extends Kind {
  values: unknown[];
}

/** An object of the answer, in which values of several objects come together under one name. */
export class OutputObject {
  readonly #members = new Map<string, Member>();

  /** Sets a name to a value, which may be null or a list. */
  set(name: string, fhirType: string, value: unknown): void {
    const isList = Array.isArray(value);
    this.add(name, { name, fhirType, isList, isSingleton: false }, isList ? (value as unknown[]) : [value]);
  }

  /** Adds values to a name. @throws Fault `invalid_request` for values of another type */
  add(key: string, kind: Kind, values: readonly unknown[]): void {
    const member = this.#members.get(key);
    if (!member) {
      this.#members.set(key, { ...kind, values: [...values] });
      return;
    }
    if (member.fhirType !== kind.fhirType) {
      throw new Fault(
        'invalid_request',
        `Values of different types come together in ${kind.name}: ${member.fhirType} and ${kind.fhirType}. Give one of them an alias.`,
      );
    }
    member.isList ||= kind.isList;
    member.isSingleton ||= kind.isSingleton;
    member.values = [...member.values, ...values].filter((value) => value !== null);
  }

  /**
   * Returns the object. It has no prototype: a name may be `__proto__`.
   * @throws Fault `invalid_request` for a name that has several values and is no list
   */
  value(): Record<string, unknown> {
    const object = Object.create(null) as Record<string, unknown>;
    for (const [key, member] of this.#members) object[key] = valueOf(member);
    return object;
  }
}

function valueOf({ name, values, isList, isSingleton }: Member): unknown {
  if (isList && !isSingleton) return values;
  const present = values.filter((value) => value !== null);
  if (present.length <= 1) return present[0] ?? null;
  throw new Fault(
    'invalid_request',
    isSingleton
      ? `${name} has @singleton and ${present.length} values. Use @first, or leave out @singleton.`
      : `${present.length} values come together in ${name}. Give the fields an alias, or use @slice.`,
  );
}
