import { readFileSync } from 'node:fs';
import { withGeneratedPart, writePage } from './generated-part.ts';
import { queued } from './queued.ts';

/**
 * Computes what 100, 1,000 and 10,000 hospitals need, and writes the tables of docs/capacity.md.
 *
 *     npx tsx docs/generate/capacity.ts           writes them
 *     npx tsx docs/generate/capacity.ts --check   writes nothing; fails if they are out of date
 *
 * Every measured figure is a row of gateway/bench/RESULTS.md that this table names: `npm run bench -- capacity` and then
 * `npm run docs` put in a later measurement.
 */
const PART = 'capacity';
const KINDS = {
  record: 'GraphQL record',
  list: 'FHIR ImagingStudy',
  search: 'FHIR Observation',
  qido: 'QIDO',
  metadata: 'metadata',
  frame: 'frames',
} as const;
const MEMORY = { part: 'distinct-patients', row: 'memory after 100000 mixed requests' };

/** Assumptions, which the page lists. Change them to those of your hospitals. */
export const ASSUMED = {
  /** People who open the app in one hospital in a day. */
  visits: 300,
  /** Part of a day's visits in its busiest hour, and how much busier the busiest minute of that hour is. */
  peakHour: 0.12,
  peakMinute: 1.5,
  /** Minutes for which a visit sends requests, and seconds for which the answer about a token is kept. */
  minutes: 8,
  introspectionTtl: 30,
  /** Requests of a visit by kind; each study that is opened adds one for its metadata, and its frames. */
  requests: { record: 4, list: 2, search: 6, qido: 2 },
  studies: 1.2,
  frames: 120,
  /** Frames in a second while a study is opened. */
  framesPerSecond: 40,
  /** Part of a processor, a link and a Redis that is used at the peak. */
  used: 0.7,
  /** Milliseconds that a request waits for a process, p99. */
  wait: 50,
  /** Bits in a second of one link, and commands in a second of one Redis. */
  link: 10e9,
  redis: 100_000,
};

export const SIZES = [100, 1_000, 10_000] as const;
const ROLES = ['gateway', 'clinical', 'imaging'] as const;
type Role = (typeof ROLES)[number];
type Kind = keyof typeof KINDS;

interface Cost {
  /** Processor of each role, milliseconds. */
  processor: Record<Role, number>;
  /** Bytes of the answer, and commands of Redis. */
  bytes: number;
  commands: number;
}

/** The load of one second in the busiest minute. */
export interface Load {
  visits: number;
  requests: number;
  bits: number;
  commands: number;
  introspections: number;
  /** Processors that are busy. */
  busy: Record<Role, number>;
}

export interface Needs extends Load {
  /** Processes of one core each, by division, and by the simulation. */
  paper: Record<Role, number>;
  simulated: Record<Role, number>;
  /** Gigabytes. */
  memory: number;
}

/** Reads figures from the text of RESULTS.md. @throws for one that is not there */
export function figureIn(results: string, part: string, row: string): number {
  const [, text] = results.split(`\n## ${part}\n`);
  const [, number] = (text ?? '').split('\n## ')[0]!.split(`\n| ${row} | `);
  if (number === undefined) throw new Error(`gateway/bench/RESULTS.md has no "${row}" of ${part}.`);
  return Number(/^[\d.,]+/.exec(number)![0].replaceAll(',', ''));
}

function costsIn(results: string): Record<Kind, Cost> {
  const figure = (row: string) => figureIn(results, PART, row);
  const costs = Object.entries(KINDS).map(([kind, name]) => {
    const processor = ROLES.map((role) => [role, figure(`${name}, processor of ${role}`)] as const);
    const cost: Cost = {
      processor: Object.fromEntries(processor) as Record<Role, number>,
      bytes: figure(`${name}, answer`) * 1000,
      commands: figure(`${name}, commands of Redis`),
    };
    return [kind, cost] as const;
  });
  return Object.fromEntries(costs) as Record<Kind, Cost>;
}

/** Returns how many requests of each kind a visit sends. */
function requestsOfVisit(): Record<Kind, number> {
  const { requests, studies, frames } = ASSUMED;
  return { ...requests, metadata: studies, frame: studies * frames };
}

/** Computes what comes from hospitals. @param results text of RESULTS.md */
export function loadFrom(hospitals: number, results: string): Load {
  const costs = costsIn(results);
  const { visits: ofDay, peakHour, peakMinute, minutes, introspectionTtl } = ASSUMED;
  const visits = (hospitals * ofDay * peakHour * peakMinute) / 3600;
  const sum = (of: (cost: Cost) => number) =>
    Object.entries(requestsOfVisit()).reduce(
      (total, [kind, count]) => total + visits * count * of(costs[kind as Kind]),
      0,
    );
  return {
    visits,
    requests: sum(() => 1),
    bits: sum(({ bytes }) => bytes) * 8,
    commands: sum(({ commands }) => commands),
    // At most: a token that nobody uses for a while is not asked about.
    introspections: (visits * minutes * 60) / introspectionTtl,
    busy: byRole((role) => sum(({ processor }) => processor[role]) / 1000),
  };
}

/** Computes what hospitals need. @param results text of RESULTS.md */
export function needsOf(hospitals: number, results: string): Needs {
  const load = loadFrom(hospitals, results);
  const costs = costsIn(results);
  const { used, wait, studies, frames, framesPerSecond } = ASSUMED;
  const { frame: _, ...single } = requestsOfVisit();
  const arrivals = {
    single: Object.fromEntries(Object.entries(single).map(([kind, count]) => [kind, count * load.visits])),
    studies: studies * load.visits,
    frames: { kind: 'frame', count: frames, perSecond: framesPerSecond },
  };
  const simulated = byRole((role) => {
    const milliseconds = (kind: string) => costs[kind as Kind].processor[role];
    return queued(arrivals, { milliseconds, used, wait });
  });
  const processes = ROLES.reduce((total, role) => total + simulated[role], 0);
  return {
    ...load,
    simulated,
    paper: byRole((role) => Math.max(2, Math.ceil(load.busy[role] / used))),
    memory: (processes * figureIn(results, MEMORY.part, MEMORY.row)) / 1000,
  };
}

const byRole = (of: (role: Role) => number) =>
  Object.fromEntries(ROLES.map((role) => [role, of(role)])) as Record<Role, number>;

const round = (value: number) =>
  (value >= 100 ? Math.round(Number(value.toPrecision(3))) : Number(value.toPrecision(2))).toLocaleString(
    'en',
  );

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

function costTable(results: string): string {
  const costs = costsIn(results);
  const perVisit = requestsOfVisit();
  const rows = (Object.keys(KINDS) as Kind[]).map((kind) => {
    const { processor, bytes, commands } = costs[kind];
    const numbers = [...ROLES.map((role) => processor[role]), bytes / 1000, commands];
    return [KINDS[kind], round(perVisit[kind]), ...numbers.map(round)];
  });
  const head = [
    'request',
    'in a visit',
    ...ROLES.map((role) => `${role}, ms`),
    'answer, kB',
    'Redis, commands',
  ];
  return table(head, rows);
}

function needsTable(results: string): string {
  const needs = SIZES.map((size) => needsOf(size, results));
  const each = (what: string, of: (one: Needs) => number | string): string[] => [
    what,
    ...needs.map((one) => ((value) => (typeof value === 'number' ? round(value) : value))(of(one))),
  ];
  const processes = (role: Role) =>
    each(`${role} processes: by division, simulated`, ({ paper, simulated }) =>
      [paper, simulated].map((one) => one[role].toLocaleString('en')).join(', '),
    );
  return table(
    ['in the busiest minute', ...SIZES.map((size) => `${size.toLocaleString('en')} hospitals`)],
    [
      each('visits begun each second', ({ visits }) => visits),
      each('requests/s', ({ requests }) => requests),
      each('answers, Mbit/s', ({ bits }) => bits / 1e6),
      each('introspections/s, at most', ({ introspections }) => introspections),
      each('Redis, commands/s', ({ commands }) => commands),
      ...ROLES.map(processes),
      each('memory of all processes, GB', ({ memory }) => memory),
      each(`links of ${ASSUMED.link / 1e9} Gbit/s`, ({ bits }) =>
        Math.ceil(bits / ASSUMED.link / ASSUMED.used),
      ),
      each('Redis servers', ({ commands }) => Math.ceil(commands / ASSUMED.redis / ASSUMED.used)),
    ],
  );
}

/** Returns how many hospitals one of each thing is enough for, the fewest first. */
export function limitsOf(results: string): [what: string, hospitals: number][] {
  const one = loadFrom(1, results);
  const { link, redis, used } = ASSUMED;
  const limits: [string, number][] = [
    ...ROLES.map((role): [string, number] => [`one ${role} process`, used / one.busy[role]]),
    [`one link of ${link / 1e9} Gbit/s`, (used * link) / one.bits],
    ['one Redis', (used * redis) / one.commands],
  ];
  return limits.sort(([, a], [, b]) => a - b);
}

function assumedTable(): string {
  const { requests, ...one } = ASSUMED;
  const { record, list, search, qido } = requests;
  return table(
    ['assumed', 'value'],
    [
      ['visits in one hospital in a day: a person opens the app', round(one.visits)],
      ['part of them in the busiest hour', `${one.peakHour * 100} %`],
      ['the busiest minute of that hour beside its mean', `${one.peakMinute} ×`],
      [
        'requests of a visit: whole record, list of studies, search of the record, QIDO',
        [record, list, search, qido].join(', '),
      ],
      ['studies that are opened in a visit', round(one.studies)],
      ['frames of a study that are shown, each of 512 × 512 bytes', round(one.frames)],
      ['frames in a second while a study is opened', round(one.framesPerSecond)],
      [
        'minutes of a visit; seconds for which the answer about a token is kept',
        `${one.minutes}; ${one.introspectionTtl}`,
      ],
      ['part of a processor, a link or a Redis that may be used', `${one.used * 100} %`],
      ['milliseconds that 99 of 100 requests wait for a process at most', round(one.wait)],
      ['a link; a Redis', `${one.link / 1e9} Gbit/s; ${round(one.redis)} commands/s`],
    ],
  );
}

/** Returns the page with its tables. */
export function capacityPage(page: string, results: string): string {
  const limits = limitsOf(results).map(([what, hospitals]) => [what, round(hospitals)]);
  const parts = {
    assumed: assumedTable(),
    costs: costTable(results),
    needs: needsTable(results),
    limits: table(['enough for', 'hospitals'], limits),
  };
  return Object.entries(parts).reduce((text, [name, part]) => withGeneratedPart(text, name, part), page);
}

if (import.meta.filename === process.argv[1]) {
  const results = readFileSync(new URL('../../gateway/bench/RESULTS.md', import.meta.url), 'utf8');
  writePage('capacity.md', (page) => capacityPage(page, results));
}
