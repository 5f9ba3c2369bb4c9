import { mount } from 'svelte';
import App from './App.svelte';
import './ui/classes.css';

// Who comes back from a sign-in needs more than the shell: that is fetched while the session is opened.
if (new URLSearchParams(location.search).has('code')) {
  for (const part of [import('./state/sign-in/smart-launch.ts'), import('./ui/pages/RecordPage.svelte')])
    // Where it is needed it is asked for again, and said if it does not come.
    part.catch(() => undefined);
}
mount(App, { target: document.getElementById('app')! });
