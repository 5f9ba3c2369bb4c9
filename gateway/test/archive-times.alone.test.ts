/**
 * The time of a refused retrieval (IA-7): the same for a study that is foreign or withheld as for one that does not
 * exist, also from a slow archive. From every kind of source, over HTTP.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { median } from '../bench/measure.ts';
import { SOURCES, type EverySource, type Source } from './every-source.ts';
import { LONG } from './setup/long.ts';
import { REFUSED, startRefusedStudies, uid, type Kind } from './refused-studies.ts';

/** Number of studies of each kind. */
const STUDIES = 8;
const [ROUNDS, ATTEMPTS] = [LONG ? STUDIES : 4, 5] as const;
/** Number of measured times of each median. */
const TIMES = LONG ? 120 : 40;
/** Milliseconds by which the shortest times of refusals may differ. */
const TOLERANCE = 10;

let every: EverySource;

beforeAll(async () => {
  every = await startRefusedStudies(STUDIES);
}, 60_000);
afterAll(() => every?.close());

const ask = (source: Source, uid: string, token = 'own') =>
  every.ask(`/${source}/dicomweb/studies/${uid}/metadata`, { token });

/** Refusals measured at the same time: each one mostly waits until it has taken as long as the others. */
const LANES = 4;

test('IA-7 refuses a foreign study in the same time as an absent one', async () => {
  const took = new Map<Kind, number[]>([
    ['absent', []],
    ['foreign', []],
  ]);
  // The gateway learns from the first requests how long an answer takes.
  const lane = async () => {
    for (let round = -20 / LANES; round < TIMES / LANES; round++) {
      for (const [kind, times] of took) {
        const started = performance.now();
        const { status } = await ask('dicom-web', uid(kind, Math.abs(round) % STUDIES));
        expect(status).toBe(404);
        if (round >= 0) times.push(performance.now() - started);
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const [absent, foreign] = [...took.values()].map((times) => median(times));
  // Orthanc alone takes at least 1.5 times as long for a study that it finds as for one that it does not find.
  expect(Math.abs(foreign! - absent!)).toBeLessThan(Math.max(1, absent! * 0.05));
}, 120_000);

test(
  'IA-7 refuses every kind of study in the same time when the archive answers slowly',
  { timeout: 60_000 },
  async () => {
    // Answers with rows come later than those without: rows of the study, and rows of its series.
    every.proxies.web.heldBack = (bytes) => (bytes > 600 ? 10 : 0);
    every.proxies.dimse.heldBack = (bytes) => (bytes > 200 ? 10 : 0);
    // In sequence: they share the machine, and a refusal that takes longer than the delay of refusals shows the reason.
    for (const source of LONG ? SOURCES : (['dicom-web'] as const)) {
      // The gateway has answered others before: it knows how long an answer takes.
      for (const kind of REFUSED) await ask(source, uid(kind, 0));
      await ask(source, uid('own', 1));
      let shortest = new Map<Kind, number>();
      /**
       * True when the shortest times of the refusals are alike, and that of the own study, which is not delayed, is
       * below them.
       */
      const isEven = () => {
        const refused = REFUSED.map((kind) => shortest.get(kind)!);
        const [least, most] = [Math.min(...refused), Math.max(...refused)];
        return most - least < TOLERANCE && shortest.get('own')! < least - TOLERANCE;
      };
      // Once one refusal has taken longer, all are delayed for longer: those before and after it cannot be compared.
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        shortest = new Map();
        for (let round = 0; round < ROUNDS; round++) {
          for (const kind of [...REFUSED, 'own'] as const) {
            const started = performance.now();
            const { status } = await ask(source, uid(kind, kind === 'own' ? 1 : round));
            expect(status).toBe(kind === 'own' ? 200 : 404);
            shortest.set(kind, Math.min(shortest.get(kind) ?? Infinity, performance.now() - started));
          }
        }
        if (isEven()) break;
      }
      expect([source, isEven(), shortest]).toEqual([source, true, shortest]);
    }
  },
);
