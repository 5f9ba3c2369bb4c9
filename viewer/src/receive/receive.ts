import { mount } from 'svelte';
import type { ImageSource } from '../data/source.ts';
import { imagingOf } from '../imaging.ts';
import { storageIfAllowed } from '../state/browser/browser-storage.ts';
import { pageConfiguration } from '../state/sign-in/page-configuration.ts';
import { readHealthLink } from './health-link.ts';
import Receive from './Receive.svelte';

/** Has the link as long as the tab is open: the address loses it at once. */
const KEY = 'shared-link';

/** Shows what the link in the address gives. It is taken out of the address, and kept for this tab alone. */
export function receive(target: HTMLElement): void {
  const storage = storageIfAllowed('sessionStorage');
  const { hash, pathname, search } = window.location;
  const fragment = hash || (storage?.getItem(KEY) ?? '');
  if (hash) {
    storage?.setItem(KEY, hash);
    history.replaceState(null, '', pathname + search);
  }
  // Another link that is opened in this tab changes the fragment alone.
  window.addEventListener('hashchange', () => window.location.reload());
  const base = pageConfiguration()?.base ?? new URL('..', window.location.href).href;
  const link = readHealthLink(fragment, base);
  mount(Receive, {
    target,
    props: { link, imagingOf: (images) => imagingOf(methodsOf(images), () => undefined) },
  });
}

/** Returns the methods of a source as functions of their own: the imaging takes them one by one. */
function methodsOf(images: ImageSource): ImageSource {
  return {
    series: (...asked) => images.series(...asked),
    instances: (...asked) => images.instances(...asked),
    frame: (...asked) => images.frame(...asked),
    preferred: (series) => images.preferred?.(series),
    rendered: (...asked) => images.rendered(...asked),
    thumbnail: (...asked) => images.thumbnail(...asked),
    bulk: (...asked) => images.bulk(...asked),
  };
}
