/**
 * How long a retrieval takes that is refused (IA-7): as long for a study that is foreign or withheld as for one that is not
 * there, also from an archive that tells slowly what it has. From every kind of source, over HTTP.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { median } from '../bench/measure.ts';
import { SOURCES, type EverySource, type Source } from './every-source.ts';
import { LONG } from './setup/long.ts';
import { REFUSED, startRefusedStudies, uid, type Kind } from './refused-studies.ts';

/** Studies of each kind. */
const STUDIES = 8;
const [ROUNDS, ATTEMPTS] = [LONG ? STUDIES : 4, 5] as const;
/** Times that a median is of. */
const TIMES = LONG ? 120 : 60;
/** Milliseconds by which the shortest times of refusals may differ. */
const TOLERANCE = 10;

let every: EverySource;

beforeAll(async () => {
  every = await startRefusedStudies(STUDIES);
}, 60_000);
afterAll(() => every?.close());

const ask = (source: Source, uid: string, token = 'own') =>
  every.ask(`/${source}/dicomweb/studies/${uid}/metadata`, { token });

/** Refusals that are measured at the same time: each mostly waits until it has taken as long as the others. */
const LANES = 4;

test('IA-7 a refusal takes as long where there is a study as where there is none', async () => {
  const took = new Map<Kind, number[]>([
    ['absent', []],
    ['foreign', []],
  ]);
  // The first requests of all find out how long an answer takes.
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
  // Orthanc alone needs longer for a study that it finds, by a half and more of the time of one that it does not.
  expect(Math.abs(foreign! - absent!)).toBeLessThan(Math.max(1, absent! * 0.05));
}, 120_000);

test(
  'IA-7 a refusal takes as long whatever there is, from an archive that tells slowly what it has',
  { timeout: 60_000 },
  async () => {
    // Rows come later than none: there are some of the study, and some of its series.
    every.proxies.web.heldBack = (bytes) => (bytes > 600 ? 10 : 0);
    every.proxies.dimse.heldBack = (bytes) => (bytes > 200 ? 10 : 0);
    // One after the other: they share the machine, and a refusal that takes longer than the pace shows what it does.
    for (const source of SOURCES) {
      // Others have asked before: how long an answer takes is known.
      for (const kind of REFUSED) await ask(source, uid(kind, 0));
      await ask(source, uid('own', 1));
      let shortest = new Map<Kind, number>();
      /** The shortest of the refusals alike, and that of the own one, which is not held back, below them. */
      const isEven = () => {
        const refused = REFUSED.map((kind) => shortest.get(kind)!);
        const [least, most] = [Math.min(...refused), Math.max(...refused)];
        return most - least < TOLERANCE && shortest.get('own')! < least - TOLERANCE;
      };
      // All are held back for longer once one has taken longer: those before and after it do not compare.
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
