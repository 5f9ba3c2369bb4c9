/** Measurements as a structured report (Comprehensive 3D SR, PS3.16 TID 1500 and 1501), and out of it again. */
import { codeOf, isCode } from '../../../../schema/dicom/code.ts';
import { items } from '../../../../schema/dicom/dicom.ts';
import { number, text, type Instance } from '../instance.ts';
import type { Kind } from '../measure/kinds.ts';
import type { Measurement } from '../measure/measurement.ts';
import type { Values } from '../measure/values.ts';
import { placesOf } from '../documents/sr-item.ts';
import { pairs } from '../overlays/figures.ts';
import type { FrameName } from '../study.ts';
import {
  codeItem,
  coded,
  container,
  dcm,
  imageItem,
  item,
  of,
  root,
  sct,
  sequence,
  type Coded,
  type OfImage,
} from './content.ts';
import {
  documentOf,
  evidenceOf,
  languageItem,
  observerItems,
  uidOf,
  uuidOf,
  type Authorship,
} from './document.ts';
import { figuresOf, graphicOf, pointsOf, type Figure } from './figures.ts';
import {
  ATTENUATION,
  DERIVATIONS,
  isWritable,
  noteFrom,
  noteOf,
  PIXEL_COUNT,
  quantitiesOf,
  type Quantity,
} from './quantities.ts';

export interface Measured extends OfImage {
  measurement: Measurement;
}

const COMPREHENSIVE_3D_SR = '1.2.840.10008.5.1.4.1.1.88.34';
const PROCEDURE: Coded = sct('363679005', 'Imaging procedure');
const COMMENT: Coded = dcm('121106', 'Comment');
const DERIVATION: Coded = dcm('121401', 'Derivation');

/** The first word of a Tracking Identifier. */
const NAMES: Readonly<Record<Kind, string>> = {
  length: 'Length',
  diameters: 'Diameters',
  angle: 'Angle',
  cobb: 'Cobb',
  rectangle: 'Rectangle',
  ellipse: 'Ellipse',
  freehand: 'Freehand',
  probe: 'Probe',
  arrow: 'Arrow',
};

/**
 * Returns a report of measurements of one study, in their order: each is a group with a tracking UID of its own. Those without
 * a number or a note are left out.
 * @returns undefined if none is left
 */
export function reportOf(all: readonly Measured[], by: Authorship): Instance | undefined {
  const written = all.filter(({ measurement }) => isWritable(measurement));
  const [first] = written;
  if (!first) return undefined;
  const series = { uid: uidOf(by.uuid()), number: 9001, description: 'Measurements' };
  const images = [...new Map(written.map((one) => [one.measurement.frame, one])).values()];
  return {
    ...documentOf({ sopClass: COMPREHENSIVE_3D_SR, modality: 'SR', series, number: 1 }, first, by),
    ...evidenceOf(written, by),
    '0040A372': sequence(),
    '0040A491': of('CS', 'PARTIAL'),
    '0040A493': of('CS', 'UNVERIFIED'),
    ...root(
      container(
        dcm('126000', 'Imaging Measurement Report'),
        [
          languageItem(),
          ...observerItems(by),
          ...proceduresOf(first.metadata).map((one) =>
            codeItem('HAS CONCEPT MOD', dcm('121058', 'Procedure reported'), one),
          ),
          item(
            container(dcm('111028', 'Image Library'), [
              item(
                container(
                  dcm('126200', 'Image Library Group'),
                  images.map((one) => imageItem('CONTAINS', one)),
                ),
              ),
            ]),
          ),
          item(container(dcm('126010', 'Imaging Measurements'), written.map(groupOf))),
        ],
        '1500',
      ),
    ),
  };
}

/** Returns the codes of the procedure as the images have them; that of any imaging where they have none. */
function proceduresOf(metadata: Instance): Coded[] {
  const stated = items(metadata, '00081032').flatMap((_, at, all): Coded[] => {
    const code = codeOf({ '00081032': sequence(all[at]!) }, '00081032');
    return code?.value && code.scheme ? [[code.value, code.scheme, code.meaning]] : [];
  });
  return stated.length > 0 ? stated : [PROCEDURE];
}

function groupOf({ measurement, ...on }: Measured, at: number): Instance {
  const { kind, id } = measurement;
  const figures = figuresOf(measurement, on.metadata).map((figure) => regionOf(figure, on));
  const note = noteOf(measurement);
  const words = { type: 'TEXT', as: 'HAS OBS CONTEXT' } as const;
  return item(
    container(
      dcm('125007', 'Measurement Group'),
      [
        item({
          ...words,
          name: dcm('112039', 'Tracking Identifier'),
          values: { '0040A160': of('UT', `${NAMES[kind]} ${at + 1}`) },
        }),
        item({
          type: 'UIDREF',
          as: 'HAS OBS CONTEXT',
          name: dcm('112040', 'Tracking Unique Identifier'),
          values: { '0040A124': of('UI', uidOf(id)) },
        }),
        ...(note === undefined
          ? []
          : [item({ type: 'TEXT', name: COMMENT, values: { '0040A160': of('UT', note) }, below: figures })]),
        // One that has a note has no number.
        ...numbersOf(quantitiesOf(measurement), figures),
      ],
      '1501',
    ),
  );
}

/** Each of two diameters has its line; an angle of two lines has both; of the numbers of a region the first shows it. */
function numbersOf(quantities: readonly Quantity[], figures: readonly Instance[]): Instance[] {
  const [only, ...others] = quantities;
  if (only && others.length === 0) return [numberOf(only, figures)];
  return quantities.map((one, index) => numberOf(one, figures.slice(index, index + 1)));
}

/** @param figures that it was measured on */
function numberOf({ name, derivation, value, unit }: Quantity, figures: readonly Instance[]): Instance {
  const measured = { '004008EA': coded(unit), '0040A161': of('FD', value), '0040A30A': of('DS', value) };
  return item({
    type: 'NUM',
    name,
    values: { '0040A300': sequence(measured) },
    below: [...(derivation ? [codeItem('HAS CONCEPT MOD', DERIVATION, derivation)] : []), ...figures],
  });
}

function regionOf(figure: Figure, on: OfImage): Instance {
  return item({
    type: 'SCOORD',
    as: 'INFERRED FROM',
    values: graphicOf(figure),
    below: [imageItem('SELECTED FROM', on)],
  });
}

/** A measurement of a report; its size and its place are computed anew from its image. */
export type Restored = Pick<Measurement, 'id' | 'kind' | 'points' | 'values' | 'note'> & { image: FrameName };

const set = ([value, scheme]: Coded): ReadonlySet<string> => new Set([`${scheme} ${value}`]);
const GROUP = new Set(['DCM 125007']);
const MEASUREMENTS = new Set(['DCM 126010']);
const TRACKING_NAME = new Set(['DCM 112039']);
const TRACKING_UID = new Set(['DCM 112040']);

/** Returns the children of an item whose name is one of these. */
const named = (of: Instance, names: ReadonlySet<string>): Instance[] =>
  items(of, '0040A730').filter((child) => isCode(codeOf(child, '0040A043'), names));

/** Returns the measurements of a report that this viewer has written, in their order; groups that are not as it writes them are left out. */
export function measurementsIn(report: Instance): Restored[] {
  const places = placesOf(report);
  const study = text(report, '0020000D') ?? '';
  return named(report, MEASUREMENTS)
    .flatMap((all) => named(all, GROUP))
    .flatMap((group): Restored[] => {
      const [tracking = {}] = named(group, TRACKING_UID);
      const [called = {}] = named(group, TRACKING_NAME);
      const id = uuidOf(text(tracking, '0040A124') ?? '');
      const [word] = (text(called, '0040A160') ?? '').split(' ');
      const kind = (Object.keys(NAMES) as Kind[]).find((one) => NAMES[one] === word);
      const regions = items(group, '0040A730').flatMap((child) =>
        items(child, '0040A730').filter((one) => text(one, '0040A040') === 'SCOORD'),
      );
      const [shown] = items(items(regions[0] ?? {}, '0040A730')[0] ?? {}, '00081199');
      const instance = shown && text(shown, '00081155');
      const series = instance && places.get(instance)?.series;
      const points = kind && pointsOf(kind, regions.map(figureOf));
      if (!id || !kind || !points || !series) return [];
      const image = { study, series, instance, frame: number(shown, '00081160') ?? 1 };
      const [comment = {}] = named(group, set(COMMENT));
      const note = kind === 'arrow' ? noteFrom(text(comment, '0040A160')) : undefined;
      return [{ id, kind, points, image, values: valuesIn(group), ...(note && { note }) }];
    });
}

function figureOf(region: Instance): Figure {
  const points = pairs(region['00700022']?.Value) ?? [];
  return {
    type: text(region, '00700023') as Figure['type'],
    points: points.map(([column, row]) => [column - 0.5, row - 0.5]),
  };
}

/** Returns the values of pixels that a group has. */
function valuesIn(group: Instance): Values | undefined {
  const numbers = items(group, '0040A730').filter((child) => text(child, '0040A040') === 'NUM');
  const valueOf = (child: Instance | undefined) =>
    child && number(items(child, '0040A300')[0] ?? {}, '0040A161');
  const derived = (by: Coded) =>
    valueOf(
      numbers.find((child) =>
        named(child, set(DERIVATION)).some((one) => isCode(codeOf(one, '0040A168'), set(by))),
      ),
    );
  const unit = numbers.some((child) => isCode(codeOf(child, '0040A043'), set(ATTENUATION)))
    ? 'HU'
    : undefined;
  const count = valueOf(named(group, set(PIXEL_COUNT))[0]);
  const [mean, deviation, minimum, maximum] = [
    derived(DERIVATIONS.mean),
    derived(DERIVATIONS.deviation),
    derived(DERIVATIONS.minimum),
    derived(DERIVATIONS.maximum),
  ];
  if (count !== undefined && mean !== undefined)
    return {
      statistics: {
        count,
        mean,
        deviation: deviation ?? 0,
        minimum: minimum ?? mean,
        maximum: maximum ?? mean,
      },
      unit,
    };
  const one = valueOf(numbers.find((child) => !SIZES.has(codeOf(child, '0040A043')?.value ?? '')));
  if (one === undefined) return undefined;
  return { statistics: { count: 1, mean: one, deviation: 0, minimum: one, maximum: one }, unit };
}

/** Codes of lengths, areas and angles. */
const SIZES = new Set(['410668003', '103339001', '103340004', '42798000', '1483009']);
