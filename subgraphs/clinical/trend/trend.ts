import type { Observation } from 'fhir/r4.js';
import { compareText } from '../../../schema/process/texts.ts';
import { requirePatient } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { isUcum } from '../../../schema/fhir/ucum.ts';
import type { Clinical } from '../record/clinical.ts';
import { canSearchBy } from '../record/supported-parameters.ts';
import { overlaps, requireDates, type DateBounds, startOf } from '../timeline/dates.ts';
import { measurementsOf, type AskedCode, type Measurement } from './measurements.ts';
import { seriesOf, type Series } from './series.ts';
import { LOINC, TREND_GROUPS } from './trend-groups.ts';

/** Codes of one request. */
const MOST_CODES = 20;

export interface TrendRequest extends DateBounds {
  patientId: string;
  code?: readonly string[] | undefined;
  /** One of `TREND_GROUPS`. */
  group?: string | undefined;
  /** UCUM. */
  unit?: string | undefined;
}

/**
 * Returns the measurements of some codes as series (FG-19), in the order of the codes.
 * @throws Fault `invalid_request` for a date, unit or choice of codes that is none, `too_large` for more than 1,000
 * observations; like `Clinical.search`
 */
export async function trendSeries(clinical: Clinical, request: TrendRequest): Promise<Series[]> {
  requirePatient(clinical.access, request.patientId);
  const asked = askedCodes(request);
  const { unit } = request;
  requireDates(request);
  if (unit !== undefined && !isUcum(unit))
    throw new Fault('invalid_request', 'unit takes a unit of UCUM, such as mmol/L, mm[Hg] or [lb_av].');
  const observations = await observationsOf(clinical, asked, request);
  const measurements = withoutDuplicates(observations.flatMap((one) => measurementsOf(one, asked)));
  measurements.sort((a, b) => a.time - b.time || compareText(a.observation.id ?? '', b.observation.id ?? ''));
  return ofCodes(measurements, asked).flatMap((some) => seriesOf(some, unit));
}

function askedCodes({ code = [], group }: TrendRequest): AskedCode[] {
  const ofGroup =
    group === undefined ? [] : (TREND_GROUPS[group] ?? []).map((one) => ({ system: LOINC, code: one }));
  const named = code.map((token): AskedCode => {
    const [system, value] = token.includes('|') ? token.split('|', 2) : [undefined, token];
    if (!value)
      throw new Fault('invalid_request', 'code takes codes such as 2339-0 or http://loinc.org|2339-0.');
    return { ...(system && { system }), code: value };
  });
  const asked = [...named, ...ofGroup];
  if (asked.length === 0 || asked.length > MOST_CODES)
    throw new Fault('invalid_request', `Name 1 to ${MOST_CODES} codes, or a group.`);
  return asked;
}

/** Returns the observations that have one of the codes, themselves or in a component. */
async function observationsOf(
  clinical: Clinical,
  asked: readonly AskedCode[],
  { patientId, from, to }: TrendRequest,
): Promise<Observation[]> {
  const source = await clinical.backend();
  const tokens = asked
    .map(({ system, code }) => (system === undefined ? [code] : [system, code]).map(escaped).join('|'))
    .join(',');
  const parameters = canSearchBy(source, 'Observation', 'combo-code')
    ? ['combo-code']
    : ['code', 'component-code'];
  const bounds = overlaps('date', { from, to });
  const lists = await Promise.all(
    parameters.map((parameter) => {
      const params = [['patient', patientId] as const, [parameter, tokens] as const, ...bounds];
      return clinical.list('Observation', { params, strict: true });
    }),
  );
  return [...new Map(lists.flat().map((one) => [one.id, one as Observation])).values()];
}

/** R4 §3.1.1.5: these characters have a meaning in a token. */
const escaped = (text: string): string => text.replace(/[\\,|$]/g, '\\$&');

/** Returns the measurements of each code that was asked for, also where several systems have the code. */
function ofCodes(measurements: readonly Measurement[], asked: readonly AskedCode[]): Measurement[][] {
  const found = new Map<string, Measurement[]>();
  for (const one of measurements) {
    const key = `${one.coding.system}|${one.coding.code}`;
    const some = found.get(key) ?? [];
    some.push(one);
    found.set(key, some);
  }
  const order = (some: Measurement[]): number => asked.findIndex(({ code }) => code === some[0]!.coding.code);
  return [...found.values()].sort((a, b) => order(a) - order(b));
}

/**
 * Leaves out measurements of the same specimen, code and time but one: the corrected one, or else the one that was issued
 * last. Observations without a specimen are the same if they have an identifier in common.
 */
function withoutDuplicates(measurements: readonly Measurement[]): Measurement[] {
  const kept = new Map<string, Measurement>();
  const found = new Set<Measurement>();
  for (const one of measurements) {
    const keys = keysOf(one);
    if (keys.length === 0) {
      found.add(one);
      continue;
    }
    const others = [...new Set(keys.flatMap((key) => kept.get(key) ?? []))];
    const best = others.reduce((best, other) => (rank(other) > rank(best) ? other : best), one);
    for (const other of [...others, one]) found.delete(other);
    found.add(best);
    for (const key of [...keys, ...others.flatMap(keysOf)]) kept.set(key, best);
  }
  return [...found];
}

function keysOf({ observation, coding, time }: Measurement): string[] {
  const { specimen, identifier } = observation;
  if (!specimen && !identifier) return [];
  const of = [coding.system, coding.code, time];
  const named = specimen?.reference ?? specimen?.identifier?.value;
  if (named !== undefined) return [JSON.stringify([...of, 'specimen', named])];
  return (identifier ?? []).flatMap((one) =>
    one?.value === undefined ? [] : [JSON.stringify([...of, 'identifier', one.system, one.value])],
  );
}

/** Orders statuses: a correction is better than what it corrects, and a final value better than a preliminary one. */
const STATUSES = ['unknown', 'registered', 'preliminary', 'final', 'amended', 'corrected'];

/** Returns a number that is larger for the better one of two. */
function rank({ observation: { status, issued, meta } }: Measurement): number {
  const time = startOf(issued) ?? startOf(meta?.lastUpdated) ?? 0;
  return STATUSES.indexOf(status) * 1e14 + time;
}
