/** The page of a take-along package: one script, which is opened from a file. */
import { mount } from 'svelte';
import type { PackageHead } from '../domain/package/container.ts';
import { imagingOf } from '../imaging.ts';
import '../ui/classes.css';
import Package from './Package.svelte';

declare global {
  /** The page of a package has it before this script. */
  interface Window {
    packageHead: PackageHead;
  }
}

const { packageHead: head } = window;
mount(Package, {
  target: document.getElementById('app')!,
  props: { head, imagingOf: (images) => imagingOf(images, () => undefined) },
});
