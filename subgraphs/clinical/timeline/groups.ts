import type { DiagnosticReport, Observation } from 'fhir/r4.js';
import { parseReference } from '../../../schema/fhir/fhir.ts';
import { endOf, writtenDay } from './dates.ts';
import { comparePlaces, type Placed, type Place } from './entry.ts';
import type { Dated } from './type-search.ts';
import { inWords, type Kind } from './types.ts';

interface Member {
  observation: Observation;
  place: Place;
  dated?: Dated;
}

/** A group with the places of its members. */
interface Group {
  kind: Kind;
  members: Member[];
}

/**
 * Makes entries of observations. Laboratory observations that a report of the same written day names as its results go to
 * that report. Others are grouped by day, and by specimen if they name one; vital signs by day and encounter.
 * @param reports the reports of these days; observations are added to them
 */
export function groupObservations(observations: readonly Dated[], reports: readonly Placed[]): Placed[] {
  const reportOf = resultsOf(reports);
  const groups = new Map<string, Group>();
  for (const dated of observations) {
    const observation = dated.resource as Observation;
    const day = writtenDay(dated.when.date!);
    const kind = kindOfObservation(observation);
    const report = kind === 'laboratory' ? reportOf.get(`${day} ${observation.id}`) : undefined;
    if (report) {
      report.entry.observations = [...(report.entry.observations ?? []), observation];
      continue;
    }
    const key = groupKey(observation, kind, day);
    const group = groups.get(key) ?? { kind, members: [] };
    groups.set(key, group);
    const place: Place = { type: 'Observation', id: observation.id ?? '', kind, start: dated.start };
    group.members.push({ observation, place, dated });
  }
  return [...groups.values()].map(entryOf);
}

/** Returns the entries of observations without a date: each is a group of its own, because nothing says what it belongs to. */
export function undatedObservation(observation: Observation): Placed {
  const kind = kindOfObservation(observation);
  const place: Place = { type: 'Observation', id: observation.id ?? '', kind, start: undefined };
  return entryOf({ kind, members: [{ observation, place }] });
}

/** Returns the kind of an observation by its category. */
export function kindOfObservation({ category = [] }: Observation): 'laboratory' | 'vitalSigns' {
  const isVital = category.some((one) => one?.coding?.some((coding) => coding?.code === 'vital-signs'));
  return isVital ? 'vitalSigns' : 'laboratory';
}

/** Returns the key of what an observation has in common with the others of its group. */
function groupKey({ encounter, specimen }: Observation, kind: Kind, day: string): string {
  const common = kind === 'vitalSigns' ? encounter : specimen;
  return JSON.stringify([kind, day, common?.reference ?? common?.identifier?.value ?? '']);
}

/** Returns the report of each result, by the day of the report and the id of the result. */
function resultsOf(reports: readonly Placed[]): Map<string, Placed> {
  const found = new Map<string, Placed>();
  for (const placed of reports) {
    const { date } = placed.entry;
    if (date === undefined) continue;
    for (const reference of (placed.entry.resource as DiagnosticReport).result ?? []) {
      const target = parseReference(reference?.reference);
      if (target?.type !== 'Observation') continue;
      const key = `${writtenDay(date)} ${target.id}`;
      if (!found.has(key)) found.set(key, placed);
    }
  }
  return found;
}

/** Makes the entry of a group: it begins with its first observation, by which it is placed, and ends with its last. */
function entryOf({ kind, members }: Group): Placed {
  members.sort((a, b) => -comparePlaces(a.place, b.place));
  const [first, last] = [members[0]!, lastOf(members)];
  const observations = members.map(({ observation }) => observation);
  return {
    entry: {
      kind,
      title: titleOf(kind, observations),
      observations,
      date: first.dated?.when.date,
      ...(last !== undefined && last !== first.dated?.when.date && { end: last }),
    },
    place: first.place,
  };
}

function lastOf(members: readonly Member[]): string | undefined {
  let last: Member | undefined;
  for (const member of members) {
    if (member.dated && (!last?.dated || timeOf(member.dated) > timeOf(last.dated))) last = member;
  }
  return last?.dated && (last.dated.when.end ?? last.dated.when.date);
}

function timeOf({ when, start }: Dated): number {
  return when.end === undefined ? start : endOf(when);
}

function titleOf(kind: Kind, observations: readonly Observation[]): string | undefined {
  const [only, ...others] = observations;
  if (others.length === 0) return inWords(only?.code);
  return `${kind === 'vitalSigns' ? 'Vital signs' : 'Laboratory'}: ${observations.length} results`;
}
