/** On a line of 1.6 Mbit/s and 300 ms, as a phone has it in the country: the first visit. */
import { setTimeout as delay } from 'node:timers/promises';
import { median, type Figure } from '../../gateway/bench/measure.ts';
import { freePort } from '../../gateway/test/setup/free-port.ts';
import { openedIn, OURS, startBenchSystem, type Drawn } from './bench-system.ts';
import { startLine } from './slow-line.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const LINE = { bytesPerSecond: 1.6e6 / 8, roundTrip: 300 };
const WINDOW = { width: 1400, height: 900 };

export async function bench(): Promise<Figure[]> {
  const port = await freePort();
  const line = await startLine({ ...LINE, target: () => port });
  const url = `http://localhost:${line.port}`;
  try {
    await using system = await startBenchSystem({ PORT: String(port), BASE_URL: url });
    const samples: Drawn[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const context = await system.browser.newContext();
      const opening = { url: `${url}/app/?${system.query}`, pictures: OURS, window: WINDOW };
      samples.push(await openedIn(context, opening));
      await context.close();
      // What that page has asked for is not the next one's to wait for.
      await delay(2_000);
      await line.idle();
    }
    const seconds = (what: keyof Drawn) => median(samples.map((drawn) => drawn[what])) / 1000;
    return [
      { what: 'slow line, first visit: first picture', value: seconds('picture'), unit: 's', atMost: 2 },
      { what: 'slow line, first visit: diagnostic frame', value: seconds('frame'), unit: 's', atMost: 4 },
      { what: 'slow line, first visit: diagnostic frame with its tools', value: seconds('tools'), unit: 's' },
    ];
  } finally {
    line.close();
  }
}
