/** From the address to the picture: ours beside OHIF from npm, over the same gateway, series and size of canvas. */
import type { BrowserContext } from 'playwright-core';
import { median, type Figure } from '../../gateway/bench/measure.ts';
import { startOhif } from '../../gateway/test/clients/ohif-app.ts';
import { openedIn, OURS, startBenchSystem, windowFor, type Drawn, type Pictures } from './bench-system.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 10);
const OHIF: Pictures = { preview: '', frame: '', tools: '.cornerstone-canvas' };

interface Contender {
  url: string;
  pictures: Pictures;
  window: { width: number; height: number };
  /** Has visited the page before. */
  warm: BrowserContext;
  samples: { cold: Drawn[]; warm: Drawn[] };
}

export async function bench(): Promise<Figure[]> {
  await using system = await startBenchSystem();
  const { gateway, browser, study, series, query } = system;
  const app = await startOhif(system.dicomweb);
  const ohifQuery = `StudyInstanceUIDs=${study}&SeriesInstanceUIDs=${series}`;
  const contender = async (url: string, pictures: Pictures): Promise<Contender> => {
    const warm = await browser.newContext();
    const window = await windowFor(warm, { url, pictures });
    return { url, pictures, window, warm, samples: { cold: [], warm: [] } };
  };
  try {
    const ours = await contender(`${gateway.url}/app/?${query}`, OURS);
    const ohif = await contender(`${app.url}/viewer?${ohifQuery}`, OHIF);
    for (let round = 0; round < ROUNDS; round++) {
      for (const one of round % 2 ? [ours, ohif] : [ohif, ours]) {
        const cold = await browser.newContext();
        one.samples.cold.push(await openedIn(cold, one));
        await cold.close();
        one.samples.warm.push(await openedIn(one.warm, one));
      }
    }
    return [...figuresOf('warm', ours, ohif), ...figuresOf('cold', ours, ohif)];
  } finally {
    await app.stop();
  }
}

/** Seconds: to the preview, and to the diagnostic frame. */
const TARGETS = { warm: { picture: 0.3, frame: 1.2 }, cold: { picture: 0.7, frame: 2 } };

function figuresOf(state: 'warm' | 'cold', ours: Contender, ohif: Contender): Figure[] {
  const of = ({ samples }: Contender, what: keyof Drawn) =>
    median(samples[state].map((drawn) => drawn[what])) / 1000;
  const [picture, frame, theirs] = [of(ours, 'picture'), of(ours, 'frame'), of(ohif, 'picture')];
  const tools = of(ours, 'tools');
  const target = TARGETS[state];
  return [
    { what: `${state}: first picture`, value: picture, unit: 's', atMost: target.picture },
    { what: `${state}: diagnostic frame`, value: frame, unit: 's', atMost: target.frame },
    { what: `${state}: diagnostic frame with its tools`, value: tools, unit: 's' },
    { what: `${state}: first picture of OHIF 3.13.2`, value: theirs, unit: 's' },
    { what: `${state}: first picture, of that of OHIF`, value: picture / theirs, unit: '×', atMost: 0.25 },
    { what: `${state}: diagnostic frame, of that of OHIF`, value: frame / theirs, unit: '×' },
  ];
}
