/** Presentation states of DCMTK on the engine's glass, in Chromium: the grey values of DCMTK's own picture. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ALL_DEMO_IMAGES } from '../../gateway/test/setup/demo-images.ts';
import type { Instance } from '../src/domain/instance.ts';
import type { Look } from '../src/domain/overlays/overlay.ts';
import { presentationState } from '../src/domain/overlays/presentation-state.ts';
import { difference } from './engine/engine-page.ts';
import { EngineSystem } from './engine/engine-system.ts';
import type { TestPage } from './engine/page.ts';

declare const window: { page: TestPage };

const system = new EngineSystem();
const folder = mkdtempSync(join(tmpdir(), 'presentation-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { encoding: 'utf8', maxBuffer: 1e8, stdio: ['ignore', 'pipe', 'ignore'] });

/** Of the longest series, whose images follow each other by their numbers. */
const INDEX = 86;
const IMAGE = join(ALL_DEMO_IMAGES, 'castellanos-ct-chest-2026/series-2/0087.dcm');

test.runIf(existsSync('/usr/bin/dcmpsmk')).each([
  ['cpu', 90, 'Y', 'INVERSE'],
  ['cpu', 270, 'N', 'IDENTITY'],
  ['webgl', 90, 'Y', 'INVERSE'],
  ['webgl', 180, 'N', 'IDENTITY'],
])(
  '%s: turned by %i, flipped %s, %s',
  async (rendering, rotation, flip, shape) => {
    const [state, picture] = [join(folder, 'state.dcm'), join(folder, 'picture.pgm')];
    run('dcmpsmk', '-q', IMAGE, state);
    const changes = {
      '(0028,3110)[0].(0028,1050)': '-600',
      '(0028,3110)[0].(0028,1051)': '1500',
      '(0070,0042)': rotation,
      '(0070,0041)': flip,
      '(2050,0020)': shape,
    };
    run(
      'dcmodify',
      '-nb',
      ...Object.entries(changes).flatMap(([tag, value]) => ['-i', `${tag}=${value}`]),
      state,
    );
    run('dcmp2pgm', '-p', state, IMAGE, picture);
    const look = lookOf(state);

    await using page = await system.open(system.ct, { index: INDEX, query: `?rendering=${rendering}` });
    await page.shows(INDEX);
    await page.page.evaluate(({ window: of, inverted, rotation: turn, flipped }) => {
      window.page.setWindow(of!);
      window.page.view.setInverted(inverted);
      window.page.setCamera({ rotation: turn, flipped });
    }, look);
    await expect.poll(() => page.page.evaluate(() => window.page.last()?.camera.flipped)).toBe(look.flipped);
    const pgm = readFileSync(picture);
    await expect.poll(async () => difference(await page.glass(), pgm.subarray(-512 * 512)).more).toBe(0);
  },
  60_000,
);

function lookOf(state: string): Look {
  const [of, metadata] = [state, IMAGE].map((file) => JSON.parse(run('dcm2json', file)) as Instance);
  const reading = presentationState.read(of!, () => Promise.reject(new Error('no pixels')));
  if (reading instanceof Promise || 'refused' in reading) throw new Error('not read');
  const instance = String(metadata!['00080018']!.Value![0]);
  const target = {
    id: 's/s/i/1',
    instance,
    frame: 1,
    metadata: metadata!,
    rectangle: undefined,
    halfSlice: 1,
  };
  return reading.content.lookOn!(target)!;
}
