import type { Person, User } from './identify.ts';
import { escaped, page } from './page.ts';
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
      : `<p>Whose record should <b>${escaped(app.name)}</b> open?`;
  return page(
    'Choose a patient',
    `${body}<form method="post" action="${escaped(action)}">${choices('patient', patients)}
<p class="actions"><button name="step" value="deny" class="quiet">Cancel</button></form>`,
  );
}

/** Which app, which user, which patient, what data: and whether the user agrees, scope by scope. */
export function consentPage(
  app: App,
  user: User,
  patient: Person | undefined,
  scopes: readonly string[],
  action: string,
): string {
  const { host, protocol } = new URL(app.redirectUri);
  const boxes = scopes.flatMap((scope) => {
    const words = inWords(scope);
    if (words === undefined) return [];
    return [
      `<li><label><input type="checkbox" name="scope" value="${escaped(scope)}" checked>` +
        `<span>${escaped(words)}<small><code>${escaped(scope)}</code></small></span></label>`,
    ];
  });
  return page(
    'Allow access?',
    `<dl><dt>App<dd><b>${escaped(app.name)}</b> at ${escaped(host || protocol)}
<dt>You<dd>${escaped(user.name)}
${patient ? `<dt>Patient<dd>${escaped(patient.name)}${patient.birthDate ? `, born ${escaped(patient.birthDate)}` : ''}` : ''}</dl>
<form method="post" action="${escaped(action)}">
${patient ? `<input type="hidden" name="patient" value="${escaped(patient.id)}">` : ''}
<h2>The app asks to</h2><ul>${boxes.join('')}</ul>
<p class="actions"><button name="step" value="allow" class="primary">Allow</button><button name="step" value="deny" class="quiet">Deny</button></form>`,
  );
}
