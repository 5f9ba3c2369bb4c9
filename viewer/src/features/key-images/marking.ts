/** Marks the image on the glass, and shows a key image as it was. */
import type { KeyImage } from '../../domain/series/key-image.ts';
import { frameId } from '../../domain/study.ts';
import { m } from '../../messages/compiled/messages.js';
import { panTo } from '../../state/stage/aim.ts';
import { imageAsShown, keyImagesOf, type KeyImages } from '../../state/stage/key-images.svelte.ts';
import type { Page } from '../../ui/context.ts';

/** Marks the image of the active cell, or takes the mark away. Planes of a volume get none, and it says why. */
export function toggleMark(page: Page): void {
  const keyImages = keyImagesOf(page.workspace);
  const { active, texts } = page.workspace;
  const { shown } = active;
  if (!shown) return;
  const image = imageAsShown(active, texts);
  if (!image) {
    keyImages.said = m.keyImageNotOnPlanes();
    return;
  }
  if (keyImages.indexOf(shown.frame) >= 0) {
    keyImages.remove(shown.frame);
    keyImages.said = m.keyImageRemoved();
    return;
  }
  keyImages.add(image);
  keyImages.said = m.keyImageMarked({ number: keyImages.all.length });
}

/** Shows the key image after that of the active cell; after the last one, and from any other image, the first. */
export function showNextKeyImage(page: Page): void {
  const keyImages = keyImagesOf(page.workspace);
  const at = keyImages.indexOf(page.workspace.active.shown?.frame) + 1;
  const next = keyImages.all[at % keyImages.all.length];
  if (next) showKeyImage(page, next);
}

/** Opens the image of a key image, with its window and camera. */
export function showKeyImage(page: Page, key: KeyImage): void {
  const { workspace, record, route } = page;
  const { study: uid, series, instance, frame } = key.image;
  const study = record.record?.studies.find((one) => one.uid === uid);
  if (!study) return;
  workspace.showImage(study, { study: uid, series, instance, frames: [frame, frame] });
  const cell = workspace.active;
  const { zoom, rotation, flipped } = key.camera;
  workspace.texts = key.overlays;
  cell.setInverted(key.inverted);
  cell.setWindow(key.window);
  cell.setCamera(() => ({ zoom, rotation, flipped, pan: [0, 0] }));
  keyImagesOf(page.workspace).opening = { cell, key };
  if (workspace.study) route.go({ study: workspace.study.uid, screen: 'stage' });
}

/** Moves the image of a key image to its place once it is on the glass, as large as that is now. */
export function settle(keyImages: KeyImages): void {
  const { cell, key } = keyImages.opening ?? {};
  // Somebody has gone on to another image.
  if (cell?.stack && key && cell.stack.frames[cell.wanted]?.id !== frameId(key.image))
    keyImages.opening = undefined;
  if (!cell?.shown || !key || cell.behind || cell.shown.frame !== frameId(key.image)) return;
  const pan = key.camera.centre && panTo(key.camera.centre, cell, cell.camera);
  keyImages.opening = undefined;
  if (pan) cell.setCamera(() => ({ pan }));
}
