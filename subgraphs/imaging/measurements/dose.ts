import { isCode } from '../../../schema/dicom/code.ts';
import type { CodeableConcept, Observation, Quantity } from 'fhir/r4.js';
import { items, number, Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { primitiveText } from '../../../schema/fhir/decimal.ts';
import { fhirDateTime } from '../dicom/dicom-date.ts';
import { string, uid } from '../dicom/dicom-text.ts';
import type { ContentItem, ContentTree } from './content-tree.ts';
import { measuredValue } from './measured-value.ts';
import { statusOf } from './observations.ts';
import { srCodeOf, conceptOf } from './sr-code.ts';
import {
  Dose,
  DOSE_EVENTS,
  DOSE_TOTALS,
  EVENT_CODES,
  EVENT_QUANTITIES,
  TOTAL_QUANTITIES,
} from './templates.ts';

type Quantities<Fields extends object> = { [Field in keyof Fields]?: Quantity };

/** Totals of one plane, or of a whole CT examination. */
export interface RadiationDoseTotals extends Quantities<typeof TOTAL_QUANTITIES> {
  numberOfEvents?: number | undefined;
  plane?: CodeableConcept | undefined;
  /** Values that are no quantities, as text. */
  notes: readonly string[];
}

/** One irradiation event. */
export interface IrradiationEvent extends Quantities<typeof EVENT_QUANTITIES> {
  uid?: string | undefined;
  started?: string | undefined;
  protocol?: string | undefined;
  type?: CodeableConcept | undefined;
  targetRegion?: CodeableConcept | undefined;
  phantom?: CodeableConcept | undefined;
  plane?: CodeableConcept | undefined;
  /** Values that are no quantities, as text. */
  notes: readonly string[];
}

/** The dose of one radiation dose report. Reports are not added up: a later one may repeat the events of an earlier one. */
export interface RadiationDose {
  /** SOP Instance UID of the report. */
  report: string;
  status: Observation['status'];
  totals: readonly RadiationDoseTotals[];
  events: readonly IrradiationEvent[];
}

/** Reads a radiation dose report (TID 10001, TID 10011). */
export function doseOf(dataset: DicomJson, tree: ContentTree): RadiationDose {
  const within = [...tree.byPath.values()];
  const offset = string(dataset, Tag.TimezoneOffsetFromUTC);
  return {
    report: uid(dataset, Tag.SOPInstanceUID) ?? '',
    status: statusOf(dataset),
    totals: within.filter(({ name }) => isCode(name, DOSE_TOTALS)).map((one) => totalsOf(one, tree)),
    events: within.filter(({ name }) => isCode(name, DOSE_EVENTS)).map((one) => eventOf(one, tree, offset)),
  };
}

function totalsOf(container: ContentItem, tree: ContentTree): RadiationDoseTotals {
  const inside = descendants(container);
  const events = inside.find(({ name, type }) => type === 'NUM' && isCode(name, Dose.NumberOfEvents));
  const count = events && number(items(events.dataset, '0040A300')[0] ?? {}, '0040A30A');
  return {
    ...quantitiesOf(inside, TOTAL_QUANTITIES, tree),
    numberOfEvents: Number.isInteger(count) ? count : undefined,
    plane: codedOf(inside, EVENT_CODES.plane, tree),
  };
}

function eventOf(container: ContentItem, tree: ContentTree, offset: string | undefined): IrradiationEvent {
  const inside = descendants(container);
  const textOf = (concept: ReadonlySet<string>, tag: string) =>
    inside.flatMap(({ name, dataset }) => (isCode(name, concept) ? (string(dataset, tag) ?? []) : []))[0];
  const started = textOf(Dose.EventStarted, '0040A120') ?? '';
  const [, date, time, own] = /^(\d{8})(\d{2,6}(?:\.\d{1,6})?)?([+-]\d{4})?$/.exec(started) ?? [];
  return {
    ...quantitiesOf(inside, EVENT_QUANTITIES, tree),
    uid: textOf(Dose.EventUid, '0040A124'),
    started: fhirDateTime(date, time, own ?? offset),
    protocol: textOf(Dose.Protocol, '0040A160'),
    type: codedOf(inside, EVENT_CODES.type, tree),
    targetRegion: codedOf(inside, EVENT_CODES.targetRegion, tree),
    phantom: codedOf(inside, EVENT_CODES.phantom, tree),
    plane: codedOf(inside, EVENT_CODES.plane, tree),
  };
}

/** Returns the items in a container, without those of events in it. */
function descendants(container: ContentItem): ContentItem[] {
  return container.children
    .filter(({ name }) => !isCode(name, DOSE_EVENTS))
    .flatMap((child) => [child, ...descendants(child)]);
}

/** Returns quantities by field. A value that is no quantity, and values that contradict each other, are notes. */
function quantitiesOf<Fields extends Readonly<Record<string, ReadonlySet<string>>>>(
  inside: readonly ContentItem[],
  fields: Fields,
  { schemes }: ContentTree,
): Quantities<Fields> & { notes: string[] } {
  const notes: string[] = [];
  const found: Record<string, Quantity> = {};
  for (const [field, concept] of Object.entries(fields)) {
    const measured = inside
      .filter(({ name, type }) => type === 'NUM' && isCode(name, concept))
      .map(({ name, dataset }) => ({ name: name!.meaning, ...measuredValue(dataset, schemes) }));
    const distinct = new Set(
      measured.map(({ valueQuantity: of }) => of && `${Number(primitiveText(of.value))} ${of.code}`),
    );
    const only = distinct.size === 1 ? measured[0]?.valueQuantity : undefined;
    if (only) found[field] = only;
    else for (const one of measured) notes.push(`${one.name}: ${shown(one)}`);
  }
  return { ...(found as Quantities<Fields>), notes };
}

function shown({
  valueQuantity: of,
  valueString,
  dataAbsentReason,
}: ReturnType<typeof measuredValue>): string {
  if (of) return `${primitiveText(of.value)} ${of.code}`;
  return valueString ?? dataAbsentReason?.text ?? 'no value';
}

function codedOf(
  inside: readonly ContentItem[],
  concept: ReadonlySet<string>,
  { schemes }: ContentTree,
): CodeableConcept | undefined {
  const item = inside.find(({ name, type }) => type === 'CODE' && isCode(name, concept));
  const code = item && srCodeOf(item.dataset, '0040A168', schemes);
  return code && conceptOf(code);
}
