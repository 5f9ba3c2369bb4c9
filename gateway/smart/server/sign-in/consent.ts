import type { Person, User } from './identify.ts';
import { escaped, isolated, page } from './page.ts';
import { choices } from './person-buttons.ts';
import { inWords } from './scopes-in-words.ts';

/** Which app is asking. Its name is its own word; where it lives is registered. */
export interface App {
  name: string;
  redirectUri: string;
}

/** Which patient's record the app is to see, where the launch does not say. */
export function patientPage(app: App, patients: readonly Person[], action: string): string {
  const body =
    patients.length === 0
      ? '<p>There is no patient whose record you may open.'
      : `<p>Whose record should <b>${isolated(app.name)}</b> open?`;
  return page(
    'Choose a patient',
    `${body}<form method="post" action="${escaped(action)}">${choices('patient', patients)}
<p class="actions"><button name="step" value="deny" class="quiet">Cancel</button></form>`,
  );
}

/** What the user is asked to agree to. */
export interface Consent {
  user: User;
  patient: Person | undefined;
  scopes: readonly string[];
  /** Where the answer is posted. */
  action: string;
  /** What the user had ticked when that opened nothing; undefined at first, when everything is ticked. */
  ticked?: ReadonlySet<string>;
}

/** Which app, which user, which patient, what data: and whether the user agrees, scope by scope. */
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
