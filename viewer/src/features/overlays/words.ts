import type { Trouble } from '../../data/trouble.ts';
import type { Misplaced } from '../../domain/overlays/header.ts';
import type { Content, OverlayKind, Refusal, Undone } from '../../domain/overlays/overlay.ts';
import { kindOf } from '../../domain/overlays/readers.ts';
import type { Series } from '../../domain/study.ts';
import { m } from '../../messages/compiled/messages.js';
import { dayOf, fromDicomDate } from '../../messages/dates.ts';
import type { Row } from './row.svelte.ts';

const KINDS: Record<OverlayKind, () => string> = {
  segmentation: m.overlaySegmentation,
  structures: m.overlayStructures,
  presentation: m.overlayPresentation,
  'key-objects': m.overlayKeyObjects,
  report: m.overlayReport,
};

const REASONS: Record<Misplaced | Refusal, () => string> = {
  'other-patient': m.overlayOtherPatient,
  'other-frame': m.overlayOtherFrame,
  'other-images': m.overlayOtherImages,
  empty: m.overlayEmpty,
  'too-many-parts': m.overlayTooManyParts,
  contradictory: m.overlayContradictory,
  cut: m.overlayCut,
  'without-place': m.overlayWithoutPlace,
  'too-large': m.overlayTooLarge,
};

/** @param series one that may have overlays */
export function seriesName(series: Series): string {
  return series.description ?? KINDS[kindOf(series)!]();
}

export function nameOf({ header, reader }: Row): string {
  return header.label ?? KINDS[reader.kind]();
}

/** Returns its kind, date and author: `Segmentation · 14 Oct 2026 · Okafor Ngozi`. */
export function detailOf({ header, reader }: Row): string {
  const date = fromDicomDate(header.date);
  return [header.label && KINDS[reader.kind](), date && dayOf(date), header.author]
    .filter(Boolean)
    .join(' · ');
}

const UNDONE: Record<Undone, () => string> = {
  'modality-table': m.overlayModalityTable,
  'window-table': m.overlayWindowTable,
  'window-curve': m.overlayWindowCurve,
  'grey-table': m.overlayGreyTable,
  'colour-table': m.overlayColourTable,
  'bitmap-shutter': m.overlayBitmapShutter,
  'true-size': m.overlayTrueSize,
  'overlay-plane': m.overlayPlane,
  subtraction: m.overlaySubtraction,
  compound: m.overlayCompound,
  ellipsoid: m.overlayEllipsoid,
  broken: m.overlayBroken,
};

/** Returns what an overlay has and what is not drawn here, as sentences. */
export function undoneWords({ undone = [], elsewhere = 0 }: Content): string[] {
  const parts = undone.map((one) => UNDONE[one]()).join(', ');
  return [
    ...(parts ? [m.overlayUndone({ parts })] : []),
    ...(elsewhere > 0 ? [m.overlayElsewhere({ count: elsewhere })] : []),
  ];
}

/** Returns why an overlay is not drawn, as a sentence. */
export function reasonWords(reason: Misplaced | Refusal): string {
  return REASONS[reason]();
}

/** Returns why an overlay did not come, as a sentence. */
export function failureWords({ kind }: Trouble): string {
  return kind === 'too-large' ? m.troubleTooLarge() : m.overlayTrouble();
}
