import type { ImageReference } from '../../domain/series/image-reference.ts';
import type { Cell } from '../../state/stage/cell.svelte.ts';
import { WIDE, type Page } from '../context.ts';

/** Shows the image that a text or a document names. @param from the cell of the document */
export function openImage(page: Page, reference: ImageReference, from?: Cell): void {
  const { workspace, record, route, levels } = page;
  const study = record.record?.studies.find(({ uid }) => uid === reference.study);
  if (!study) return;
  const isWide = matchMedia(`(${WIDE})`).matches;
  // On a narrow screen the text stands in the image's place.
  if (!isWide && from === undefined) levels.closeLast();
  workspace.showImage(study, reference, from);
  if (workspace.study) route.go({ study: workspace.study.uid, ...(!isWide && { screen: 'stage' }) });
}
