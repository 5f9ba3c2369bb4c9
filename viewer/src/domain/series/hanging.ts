/**
 * Hanging protocols: how a study is laid out when it is opened, from what the record says of its series. Pure: rules are
 * data, the first that fits counts.
 */
import { items } from '../../../../schema/dicom/dicom.ts';
import { text, type Instance } from '../instance.ts';
import { contentOf } from './series-content.ts';
import type { Series, Study } from '../study.ts';

export type Layout = '1x1' | '1x2' | '2x2';

/** The content of a cell. */
export interface Hung {
  study: Study;
  series: Series;
  /** The image of the series, where several cells show the same one; from 1. */
  image?: number;
  /** Says that an image is the one for this place; it comes before `image`. */
  prefers?: (metadata: Instance) => boolean;
}

export interface Hanging {
  layout: Layout;
  /** In the order of reading; undefined for a place that stays empty. */
  cells: readonly (Hung | undefined)[];
}

export interface HangingWishes {
  /** CSS pixels. */
  screen: { width: number };
  /** The wish of the person, or of the address. */
  layout?: Layout | undefined;
  /** Comparable earlier studies, newest first: the first is hung beside the study. */
  priors?: readonly Study[];
}

/** Number of places of a layout. */
export const PLACES: Record<Layout, number> = { '1x1': 1, '1x2': 2, '2x2': 4 };

/** A narrower screen is a phone: it has one image. */
const NARROW = 1024;
/** Four images, the timeline and a report beside each other. */
const WIDE = 1600;

interface Rule {
  modalities: readonly string[];
  /** Looked for in the descriptions of the study and of its series. */
  about?: RegExp;
  /** Least width of the screen. */
  from?: number;
  layout: Layout;
  /** One for each place: the words of its series. */
  places: readonly Place[];
  /** So many places have to find their series. */
  least: number;
}

interface Place {
  words: RegExp;
  not?: RegExp;
  view?: View;
}

/** A view of mammography. */
interface View {
  side: 'R' | 'L';
  projection: 'CC' | 'MLO';
}

/** Words before and after which there is no letter or digit: `R CC`, `RCC`, `T2_FLAIR`. */
const word = (words: string) => new RegExp(`(?<![a-z0-9])(?:${words})(?![a-z0-9])`, 'i');
const breast = (side: View['side'], projection: View['projection']): Place => ({
  words: word(
    `${side}[ _-]*${projection}|${side === 'R' ? 'right' : 'left'}[ _-]*${projection}|${projection}[ _-]*${side}`,
  ),
  view: { side, projection },
});

/** PS3.17 describes the usual hangings. The backs of the breasts, or the chest walls, lie in the middle. */
const RULES: readonly Rule[] = [
  {
    modalities: ['MG'],
    layout: '2x2',
    places: [breast('R', 'CC'), breast('L', 'CC'), breast('R', 'MLO'), breast('L', 'MLO')],
    least: 4,
  },
  {
    modalities: ['MR'],
    about: /brain|head|cerebr|crane|crani|cabeza|cerebro/i,
    from: WIDE,
    layout: '2x2',
    places: [
      { words: word('t1w?|mprage|spgr|bravo'), not: /t2|flair|locali|scout/i },
      { words: word('t2w?|t2 ?tse|t2 ?fse'), not: /flair|star|t2 ?\*|locali|scout/i },
      { words: /flair|dark.?fluid/i },
      { words: word('dwi|diff(?:usion)?|b ?[1-9]\\d{2,3}|adc'), not: /tensor|dti/i },
    ],
    least: 3,
  },
];

/** Returns the layout of a study, and what each of its cells shows. */
export function hang(study: Study, { screen, layout, priors = [] }: HangingWishes): Hanging {
  const images = inOrder(study).filter((series) => contentOf(series.modality) !== 'document');
  // A study of documents alone shows its first.
  const series = images.length > 0 ? images : inOrder(study);
  const asked = screen.width < NARROW ? '1x1' : layout;
  const [prior] = priors;
  if (prior && (asked === undefined || asked === '1x2') && screen.width >= NARROW) {
    return { layout: '1x2', cells: [mainOf(study, series), mainOf(prior, inOrder(prior))] };
  }
  const ruled = screen.width < NARROW ? undefined : ruleFor(study, series, screen.width);
  if (ruled && (asked ?? ruled.layout) === ruled.layout) return ruled;
  const views = asked === '1x1' ? undefined : twoViews(study, series);
  if (views && (asked ?? '1x2') === '1x2') return views;
  return filled(study, series, asked ?? '1x1');
}

function ruleFor(study: Study, series: readonly Series[], width: number): Hanging | undefined {
  for (const { modalities, about, from = 0, layout, places, least } of RULES) {
    const own = series.filter(({ modality }) => modalities.includes(modality));
    const words = [study.description, ...own.flatMap((one) => [one.description, one.bodySite])].join(' ');
    if (own.length === 0 || width < from || (about && !about.test(words))) continue;
    const cells = placed(study, own, places);
    if (cells.filter(Boolean).length >= least) return { layout, cells: withOthers(cells, study, own) };
  }
  return undefined;
}

/** Each place takes the longest series with its words; of one series with all views each place takes its image. */
function placed(study: Study, series: readonly Series[], places: readonly Place[]): Hanging['cells'] {
  const [only] = series;
  const allInOne = series.length === 1 && only!.numberOfInstances === places.length;
  if (allInOne && places.every(({ view }) => view)) {
    return places.map(({ view }, index) => ({
      study,
      series: only!,
      image: index + 1,
      prefers: (metadata: Instance) => isView(metadata, view!),
    }));
  }
  const free = new Set(series);
  const take = (fits: readonly Series[]): Hung | undefined => {
    const found = longest(fits);
    if (found) free.delete(found);
    return found && { study, series: found };
  };
  return places.map(({ words, not }) =>
    take([...free].filter(({ description = '' }) => words.test(description) && !not?.test(description))),
  );
}

/** Fills the places that have not found their series with others, the longest first. */
function withOthers(cells: Hanging['cells'], study: Study, series: readonly Series[]): Hanging['cells'] {
  const others = withoutScouts(series)
    .filter((one) => !cells.some((cell) => cell?.series === one))
    .sort((a, b) => (b.numberOfInstances ?? 0) - (a.numberOfInstances ?? 0));
  return cells.map((cell) => {
    const other = cell ? undefined : others.shift();
    return cell ?? (other && { study, series: other });
  });
}

/** View Position and Image Laterality, or the code of the view (PS3.3 §C.8.11.7, PS3.16 CID 4014). */
function isView(metadata: Instance, { side, projection }: View): boolean {
  const code = text(items(metadata, '00540220')[0] ?? {}, '00080100');
  const coded = { 'R-10242': 'CC', '399162004': 'CC', 'R-10226': 'MLO', '399368009': 'MLO' }[code ?? ''];
  // Image Laterality, Frame Laterality of an enhanced object, and Laterality of the series.
  const laterality = ['00200062', '00209072', '00200060'].map((tag) => text(metadata, tag)).find(Boolean);
  return laterality === side && (text(metadata, '00185101') ?? coded) === projection;
}

/** Two radiographs side by side: of two series, or of one with two images. */
function twoViews(study: Study, series: readonly Series[]): Hanging | undefined {
  const own = series.filter(({ modality }) => ['CR', 'DX', 'MG'].includes(modality));
  if (own.length !== series.length) return undefined;
  if (own.length === 2) return { layout: '1x2', cells: own.map((one) => ({ study, series: one })) };
  if (own.length === 1 && own[0]!.numberOfInstances === 2)
    return { layout: '1x2', cells: [1, 2].map((image) => ({ study, series: own[0]!, image })) };
  return undefined;
}

/** The main series first, then the others in their order. */
function filled(study: Study, series: readonly Series[], layout: Layout): Hanging {
  const main = mainOf(study, series);
  const others = series.filter((one) => one !== main?.series).map((one) => ({ study, series: one }));
  const cells = [main, ...others].slice(0, PLACES[layout]);
  return { layout, cells: Array.from({ length: PLACES[layout] }, (_, at) => cells[at]) };
}

/** The longest series; of a CT the longest axial one, where the descriptions say which are others. */
function mainOf(study: Study, series: readonly Series[]): Hung | undefined {
  const images = withoutScouts(series);
  const axial = images.filter(
    ({ modality, description = '' }) => modality !== 'CT' || !/cor|sag|mip|mpr/i.test(description),
  );
  const main = longest(axial.length > 0 ? axial : images);
  return main && { study, series: main };
}

/** Leaves out localizers, unless there is nothing else. */
function withoutScouts(series: readonly Series[]): Series[] {
  const images = series.filter(
    ({ description = '' }) => !/locali[sz]|scout|survey|topogram/i.test(description),
  );
  return images.length > 0 ? images : [...series];
}

export function longest(series: readonly Series[]): Series | undefined {
  return series.reduce<Series | undefined>(
    (best, one) => (best && (one.numberOfInstances ?? 0) <= (best.numberOfInstances ?? 0) ? best : one),
    undefined,
  );
}

/** Returns the series of a study in the order of their numbers. */
export function inOrder(study: Study | undefined): Series[] {
  return [...(study?.series ?? [])].sort((a, b) => (a.number ?? Infinity) - (b.number ?? Infinity));
}
