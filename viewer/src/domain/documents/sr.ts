/** A Structured Report as a document: headings, facts and tables of measurements. (PS3.3 §C.17.3) */
import { text, type Instance } from '../instance.ts';
import type { ImagePoint } from '../space/geometry.ts';
import { codeOf, isCode, type Code } from '../../../../schema/dicom/code.ts';
import { placesOf, valueOf, type ObjectReference, type SrValue } from './sr-item.ts';

/** A content item that is no heading and no measurement. */
export interface Fact {
  name?: Code;
  value: SrValue;
  /** Relationship to the item above, such as `HAS OBS CONTEXT`. */
  relationship?: string;
  /** 0 directly below its heading. */
  depth: number;
}

export interface Measurement {
  name: Code;
  value: Extract<SrValue, { kind: 'number' }>;
  /** Body site with its side. */
  site: readonly Code[];
  /** Method, derivation and the like. */
  modifiers: readonly Code[];
  /** The images that it was made on. */
  references: readonly ObjectReference[];
  /** The other items below it. */
  facts: readonly Fact[];
}

export type SrBlock =
  /** Level 1 is directly below the title. */
  | { kind: 'heading'; level: number; name: Code }
  | { kind: 'facts'; facts: readonly Fact[] }
  | { kind: 'measurements'; rows: readonly Measurement[] };

export interface SrDocument {
  /** Undefined where the report does not name itself. */
  title?: Code;
  /** PARTIAL or COMPLETE, PS3.3 §C.17.2. */
  completion?: string;
  /** VERIFIED or UNVERIFIED. */
  verification?: string;
  /** True where the report says that it is preliminary. */
  preliminary: boolean;
  blocks: readonly SrBlock[];
  /** Content items that could not be read: they are in the blocks as far as they go. */
  broken: number;
  /** True if the report is longer or deeper than what is read. */
  cut: boolean;
}

const CONTENT = '0040A730';
const MOST_DEPTH = 64;
const MOST_ITEMS = 20_000;

/** Finding Site, in SNOMED CT and in the codes that were used before. */
const SITE = new Set(['SCT 363698007', 'SRT G-C0E3']);
/** Relationship of what qualifies a name: method, derivation, side of a site. */
const MODIFIER = 'HAS CONCEPT MOD';

/** SOP Classes of Structured Reports, Key Object Selections included, begin so (PS3.4 §B.5). */
const SR_CLASSES = '1.2.840.10008.5.1.4.1.1.88.';

/** Returns true for a Structured Report of any kind: text, measurements, CAD, dose, key objects. */
export function isStructuredReport(instance: Instance): boolean {
  return (text(instance, '00080016') ?? '').startsWith(SR_CLASSES) || instance[CONTENT] !== undefined;
}

interface Reading {
  places: ReadonlyMap<string, ObjectReference>;
  blocks: SrBlock[];
  left: number;
  broken: number;
  cut: boolean;
}

/** Reads a report from its metadata. It never throws: what cannot be read is counted. */
export function readStructuredReport(report: Instance): SrDocument {
  const reading: Reading = { places: placesOf(report), blocks: [], left: MOST_ITEMS, broken: 0, cut: false };
  readContainer(report, { level: 1, site: [] }, reading);
  const { blocks, broken, cut } = reading;
  return {
    title: codeOf(report, '0040A043'),
    completion: text(report, '0040A491'),
    verification: text(report, '0040A493'),
    preliminary: text(report, '0040A496') === 'PRELIMINARY',
    blocks,
    broken,
    cut,
  };
}

/** Returns the items below one, as far as the report is read. */
function below(item: Instance, depth: number, reading: Reading): readonly Instance[] {
  const values = item[CONTENT]?.Value;
  if (values === undefined) return [];
  const found = values.filter(
    (one): one is Instance => typeof one === 'object' && one !== null && !Array.isArray(one),
  );
  reading.broken += values.length - found.length;
  if (depth > MOST_DEPTH || found.length > reading.left) reading.cut = true;
  const read = depth > MOST_DEPTH ? [] : found.slice(0, reading.left);
  reading.left -= read.length;
  return read;
}

function readContainer(
  item: Instance,
  above: { level: number; site: readonly Code[] },
  reading: Reading,
): void {
  const { level } = above;
  const children = below(item, level, reading);
  const own = children.find((child) => isCode(codeOf(child, '0040A043'), SITE));
  const site = own ? siteOf(own, level, reading) : above.site;
  let facts: Fact[] = [];
  let rows: Measurement[] = [];
  const endFacts = () => {
    if (facts.length > 0) reading.blocks.push({ kind: 'facts', facts });
    facts = [];
  };
  const endRows = () => {
    if (rows.length > 0) reading.blocks.push({ kind: 'measurements', rows });
    rows = [];
  };
  for (const child of children) {
    const value = valueOf(child, reading.places);
    const name = codeOf(child, '0040A043');
    if (value.kind === 'container') {
      endFacts();
      endRows();
      if (name) reading.blocks.push({ kind: 'heading', level, name });
      readContainer(child, { level: name ? level + 1 : level, site }, reading);
    } else if (value.kind === 'number' && name) {
      endFacts();
      rows.push(readMeasurement(child, { name, value, site, level }, reading));
    } else {
      endRows();
      readFact(child, { depth: 0, level }, { reading, facts });
    }
  }
  endFacts();
  endRows();
}

/** Adds an item and those below it to the facts. @param at `point` is the middle of the shape above the item */
function readFact(
  item: Instance,
  { depth, level, point }: { depth: number; level: number; point?: ImagePoint | undefined },
  { reading, facts }: { reading: Reading; facts: Fact[] },
): void {
  const read = valueOf(item, reading.places);
  const value: SrValue =
    read.kind === 'references' && point
      ? { ...read, references: read.references.map((one) => ({ ...one, point })) }
      : read;
  if (value.kind === 'broken') reading.broken++;
  const name = codeOf(item, '0040A043');
  const relationship = text(item, '0040A010');
  facts.push({ ...(name && { name }), value, ...(relationship && { relationship }), depth });
  const centre = value.kind === 'region' ? value.centre : undefined;
  for (const child of below(item, level + depth + 1, reading))
    readFact(child, { depth: depth + 1, level, point: centre }, { reading, facts });
}

/** Returns a body site and what is said of it: its side. */
function siteOf(item: Instance, level: number, reading: Reading): Code[] {
  const site = codeOf(item, '0040A168');
  const sides = below(item, level + 1, reading).flatMap((child) => codeOf(child, '0040A168') ?? []);
  return site ? [site, ...sides] : sides;
}

function readMeasurement(
  item: Instance,
  found: Pick<Measurement, 'name' | 'value' | 'site'> & { level: number },
  reading: Reading,
): Measurement {
  const { name, value, level } = found;
  let { site } = found;
  const modifiers: Code[] = [];
  const references: ObjectReference[] = [];
  const facts: Fact[] = [];
  for (const child of below(item, level + 1, reading)) {
    const code = codeOf(child, '0040A168');
    if (isCode(codeOf(child, '0040A043'), SITE)) site = siteOf(child, level + 1, reading);
    else if (text(child, '0040A010') === MODIFIER && code) modifiers.push(code);
    else {
      const own: Fact[] = [];
      readFact(child, { depth: 0, level: level + 1 }, { reading, facts: own });
      for (const fact of own) {
        if (fact.value.kind === 'references') references.push(...fact.value.references);
        else if (fact.value.kind !== 'region') facts.push(fact);
      }
    }
  }
  return { name, value, site, modifiers, references, facts };
}
