import { foldedText } from '../../../../schema/fhir/folded-text.ts';
import type { Person } from './identify.ts';
import { escaped, isolated } from './page.ts';

/** Patients on a page: others are found by name. */
const MOST_SHOWN = 24;

/**
 * Returns a button for each person, as HTML.
 * @param name of the form's field: an account is a reference, a patient a logical id
 */
export function choices(name: 'account' | 'patient', people: readonly Person[]): string {
  const value = (person: Person) => (name === 'account' ? person.reference : person.id);
  const buttons = people.map(
    (person) =>
      `<li><button name="${name}" value="${escaped(value(person))}">${isolated(person.name)}` +
      `${person.birthDate ? `<small>born ${isolated(person.birthDate)}</small>` : ''}</button>`,
  );
  return `<ul class="people">${buttons.join('')}</ul>`;
}

/**
 * Returns the patients to show, and a field to find others by name, as HTML: none when all are shown anyway. The name is
 * posted: an address would stay in the browser's history and in logs.
 * @param find beginnings of the words of a name, in any order
 */
export function finder(
  patients: readonly Person[],
  find: string,
  action: string,
): { field: string; shown: readonly Person[] } {
  if (patients.length <= MOST_SHOWN) return { field: '', shown: patients };
  const parts = foldedText(find).trim().split(/\s+/);
  const found = patients.filter(({ name }) => {
    const words = ` ${foldedText(name)}`;
    return parts.every((part) => words.includes(` ${part}`));
  });
  const shown = found.slice(0, MOST_SHOWN);
  const count = (number: number) => number.toLocaleString('en');
  const more = found.length > shown.length ? ' Find others by name.' : '';
  const said =
    found.length === 0
      ? 'No patient has this name.'
      : `Patients shown: ${count(shown.length)} of ${count(found.length)}.${more}`;
  const field = `<form method="post" action="${escaped(action)}" class="find"><label>Name of a patient
<input type="search" name="name" value="${escaped(find)}" autocomplete="off"></label>
<button name="step" value="find">Find</button></form><p role="status">${said}`;
  return { field, shown };
}
