import { isCode } from '../../../schema/dicom/code.ts';
import type { CodeableConcept, ObservationComponent } from 'fhir/r4.js';
import { items, texts } from '../../../schema/dicom/dicom.ts';
import { string, uid } from '../dicom/dicom-text.ts';
import { reachable, type ContentItem, type ContentTree } from './content-tree.ts';
import { measuredValue } from './measured-value.ts';
import { srCodeOf, conceptOf, type SrCode } from './sr-code.ts';
import { Concept } from './templates.ts';

/** An image, or a series, that a measurement was made on. */
export interface MeasuredObject {
  kind: 'instance' | 'series';
  uid: string;
  frames: readonly string[];
}

/** Facts that the items around a measurement state about it. */
export interface MeasurementContext {
  trackingId?: string | undefined;
  trackingUid?: string | undefined;
  site?: CodeableConcept | undefined;
  method?: CodeableConcept | undefined;
  components: readonly ObservationComponent[];
  objects: readonly MeasuredObject[];
}

/** Components of one Observation. */
const MAX_COMPONENTS = 50;
const REFERENCED_SOPS = '00081199';

/** Returns the context of what is inside an item: that around the item, with what its own items say. */
export function contextWithin(
  item: ContentItem,
  around: MeasurementContext,
  tree: ContentTree,
): MeasurementContext {
  const own: { -readonly [K in keyof MeasurementContext]: MeasurementContext[K] } = { ...around };
  const components: ObservationComponent[] = [];
  const isGroup = isCode(item.name, Concept.MeasurementGroup);
  // bodySite has one site; further ones of the same item are components.
  let hasSite = false;
  for (const child of item.children) {
    const { name } = child;
    const value = srCodeOf(child.dataset, '0040A168', tree.schemes);
    if (isCode(name, Concept.TrackingIdentifier)) own.trackingId = string(child.dataset, '0040A160');
    else if (isCode(name, Concept.TrackingUniqueIdentifier)) own.trackingUid = uid(child.dataset, '0040A124');
    else if (isCode(name, Concept.FindingSite) && value && !hasSite) {
      own.site = siteOf(child, value, tree);
      hasSite = true;
    } else if (isCode(name, Concept.MeasurementMethod) && value) own.method = conceptOf(value);
    else if (isContext(child, item, isGroup)) components.push(...componentOf(child, tree));
  }
  own.components = [...around.components, ...components].slice(-MAX_COMPONENTS);
  // Images in other containers, such as the image library, are not those of every measurement in them.
  if (item.type !== 'CONTAINER' || isGroup) {
    const objects = objectsOf(item, tree);
    if (objects.length > 0) own.objects = objects;
  }
  return own;
}

/** Returns true for an item that narrows what the measurements beside it mean. */
function isContext(child: ContentItem, parent: ContentItem, inGroup: boolean): boolean {
  if (isCode(child.name, Concept.Report)) return false;
  // Numbers are measurements of their own, except for those about a number, such as its normal range.
  if (child.type === 'NUM' && parent.type !== 'NUM') return false;
  if (inGroup && isCode(child.name, Concept.Finding)) return true;
  return /^HAS (CONCEPT MOD|OBS CONTEXT|ACQ CONTEXT|PROPERTIES)$/.test(child.relationship ?? '');
}

/** Converts an item to a component of an Observation; none for items that have no single value. */
export function componentOf(item: ContentItem, { schemes }: ContentTree): ObservationComponent[] {
  if (!item.name) return [];
  const code = conceptOf(item.name);
  if (item.type === 'NUM') return [{ code, ...measuredValue(item.dataset, schemes) }];
  const coded = item.type === 'CODE' ? srCodeOf(item.dataset, '0040A168', schemes) : undefined;
  if (coded) return [{ code, valueCodeableConcept: conceptOf(coded) }];
  const text = item.type === 'TEXT' ? string(item.dataset, '0040A160') : undefined;
  return text === undefined ? [] : [{ code, valueString: text }];
}

/** Returns the site with its side and other modifiers in the text: `Lung, Right`. */
function siteOf(item: ContentItem, site: SrCode, { schemes }: ContentTree): CodeableConcept {
  const modifiers = item.children
    .filter(({ name }) => isCode(name, Concept.Laterality) || isCode(name, Concept.TopographicalModifier))
    .flatMap(({ dataset }) => srCodeOf(dataset, '0040A168', schemes)?.meaning ?? []);
  const concept = conceptOf(site);
  return { ...concept, text: [concept.text, ...modifiers].join(', ') };
}

const FOLLOWED = new Set(['IMAGE', 'SCOORD', 'SCOORD3D', 'TCOORD', 'WAVEFORM', 'UIDREF', 'COMPOSITE']);

/** Returns the images of an item: its own, and those from which coordinates and other items were selected. */
function objectsOf(item: ContentItem, tree: ContentTree): MeasuredObject[] {
  const followed = reachable(item, tree, ({ type }) => FOLLOWED.has(type ?? ''));
  const objects = followed.flatMap((one): MeasuredObject[] => {
    if (one.type === 'UIDREF') {
      const series = isCode(one.name, Concept.SourceSeries) && uid(one.dataset, '0040A124');
      return series ? [{ kind: 'series', uid: series, frames: [] }] : [];
    }
    return items(one.dataset, REFERENCED_SOPS).flatMap((sop): MeasuredObject[] => {
      const instance = uid(sop, '00081155');
      return instance ? [{ kind: 'instance', uid: instance, frames: texts(sop, '00081160') }] : [];
    });
  });
  return [...new Map(objects.map((one) => [`${one.uid} ${one.frames.join()}`, one])).values()];
}
