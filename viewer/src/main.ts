import { mount } from 'svelte';
import App from './App.svelte';
import { storageIfAllowed } from './state/browser/browser-storage.ts';
import { bringsAnswer } from './state/sign-in/way-back.ts';
import NotLoaded from './ui/pages/NotLoaded.svelte';
import './ui/classes.css';

// Who comes back from a sign-in needs more than the shell: that is fetched while the session is opened.
if (bringsAnswer(storageIfAllowed('sessionStorage'))) {
  for (const part of [import('./state/sign-in/smart-launch.ts'), import('./ui/pages/RecordPage.svelte')])
    // Where it is needed it is asked for again, and said if it does not come.
    part.catch(() => undefined);
}
const target = document.getElementById('app')!;
// Who gets a link has no account, and sees another page.
if (window.location.pathname.endsWith('/shared'))
  import('./receive/receive.ts').then(
    ({ receive }) => receive(target),
    () => mount(NotLoaded, { target }),
  );
else mount(App, { target });
