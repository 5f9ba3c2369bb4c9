import { m } from '../../messages/compiled/messages.js';
import { keyImagesOf } from '../../state/stage/key-images.svelte.ts';
import { measurementsOf } from '../../state/stage/measurements.svelte.ts';
import type { Feature } from '../../ui/feature.ts';
import { filesOf } from './files-of.svelte.ts';
import FilesDialog from './FilesDialog.svelte';

/** Measurements and key images as DICOM and FHIR files, and such files back on the page. */
export const files: Feature = {
  commands(page) {
    const opened = filesOf(page);
    const measurements = measurementsOf(page.workspace);
    const keyImages = keyImagesOf(page.workspace);
    return [
      {
        id: 'files.save',
        name: m.filesSave,
        group: 'page',
        enabled: () => measurements.all.length + keyImages.all.length > 0,
        run: () => (opened.open = 'save'),
      },
      {
        id: 'files.open',
        name: m.filesOpen,
        group: 'page',
        enabled: () => page.record.record !== undefined,
        run: () => (opened.open = 'open'),
      },
    ];
  },
  dialog: FilesDialog,
};
