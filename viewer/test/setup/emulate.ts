import type { BrowserCommand } from 'vitest/node';

/** Sets a media feature of the page, for tests of components: forced colours, for instance. */
export const emulate: BrowserCommand<[media: { forcedColors?: 'active' | 'none' }]> = ({ page }, media) =>
  page.emulateMedia(media);
