import type { Person, User } from './identify.ts';
import { escaped, isolated, page } from './page.ts';
import { choices, finder } from './person-buttons.ts';
import { inWords } from './scopes-in-words.ts';

/** The app that asks. It chooses its name; its redirect URI is registered. */
export interface App {
  name: string;
  redirectUri: string;
}

/** Contents of the page to choose a patient. */
export interface Choice {
  patients: readonly Person[];
  /** Part of a name, if the user looks for one. */
  find: string;
  /** URL for the form. */
  action: string;
}

/** Returns the page to choose the patient, when the launch names none. */
export function patientPage(app: App, { patients, find, action }: Choice): string {
  const { field, shown } = finder(patients, find, action);
  const body =
    patients.length === 0
      ? '<p>There is no patient whose record you may open.'
      : `<p>Whose record should <b>${isolated(app.name)}</b> open?`;
  return page(
    'Choose a patient',
    `${body}${field}<form method="post" action="${escaped(action)}">${choices('patient', shown)}
<p class="actions"><button name="step" value="deny" class="quiet">Cancel</button></form>`,
  );
}

/** Contents of the consent page. */
export interface Consent {
  user: User;
  patient: Person | undefined;
  scopes: readonly string[];
  /** URL for the form. */
  action: string;
  /** Scopes that the user ticked before, which gave nothing; undefined at first, when all are ticked. */
  ticked?: ReadonlySet<string>;
}

/** Returns the page where the user agrees, scope by scope. It shows app, user, patient and data. */
export function consentPage(app: App, { user, patient, scopes, action, ticked }: Consent): string {
  const { host, protocol } = new URL(app.redirectUri);
  const boxes = scopes.flatMap((scope) => {
    const words = inWords(scope);
    if (words === undefined) return [];
    const checked = !ticked || ticked.has(scope) ? ' checked' : '';
    return [
      `<li><label><input type="checkbox" name="scope" value="${escaped(scope)}"${checked}>` +
        `<span>${escaped(words)}<small><code>${escaped(scope)}</code></small></span></label>`,
    ];
  });
  const nothing = '<p role="alert">Nothing is ticked that the app could open. Tick something, or press Deny.';
  return page(
    'Allow access?',
    `<dl><dt>App<dd><b>${isolated(app.name)}</b> at ${escaped(host || protocol)}
<dt>You<dd>${isolated(user.name)}
${patient ? `<dt>Patient<dd>${isolated(patient.name)}${patient.birthDate ? `, born ${isolated(patient.birthDate)}` : ''}` : ''}</dl>
<form method="post" action="${escaped(action)}">
${patient ? `<input type="hidden" name="patient" value="${escaped(patient.id)}">` : ''}
<h2>The app asks to</h2>${ticked ? nothing : ''}<ul>${boxes.join('')}</ul>
<p class="actions"><button name="step" value="allow" class="primary">Allow</button><button name="step" value="deny" class="quiet">Deny</button></form>`,
  );
}
