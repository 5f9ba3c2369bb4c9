import type { Person } from './identify.ts';
import { escaped, isolated } from './page.ts';

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
