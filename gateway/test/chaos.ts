/**
 * `npm run chaos`: the whole system, three processes of each role over real servers, under load while one part after the
 * other fails. Needs root, for networks that can be cut.
 *
 *     npm run chaos -- --rate 200 --only "kill|Redis"
 *
 * `--explain` prints how refusals are explained. Every answer has to be that of before, or an honest refusal, and nothing of
 * another patient; five seconds after a part is back nothing is refused. Otherwise the exit code is 1.
 */
import { parseArgs } from 'node:util';
import { runOverSystem } from './chaos/command.ts';
import { faultsOf } from './chaos/faults.ts';
import { runChaos, type Figures } from './chaos/run.ts';

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    rate: { ...text, default: '200' },
    away: { ...text, default: '10' },
    calm: { ...text, default: '10' },
    only: { ...text, default: '' },
    explain: { type: 'boolean', default: false },
  },
});
const seconds = (value: string) => Number(value) * 1000;

await runOverSystem(async (system, load) => {
  const times = { away: seconds(values.away), restarted: 1000 };
  const faults = faultsOf(system, times).filter(({ name }) => new RegExp(values.only).test(name));
  console.log(
    row(['fault', 'away s', 'asked', 'refused', 'window s', 'back after s', 'slowest s', 'wrong', 'crossed']),
  );
  return runChaos(load, faults, {
    rate: Number(values.rate),
    calm: seconds(values.calm),
    report(figures) {
      console.log(row(cells(figures)));
      if (values.explain)
        for (const entry of Object.entries(figures.explained)) console.log('   ', ...entry.reverse());
    },
  });
});

function cells({ fault, away, asked, honest, window, recovery, slowest, wrong, crossed }: Figures): string[] {
  const refused = Object.entries(honest).map(([kind, count]) => `${count} ${kind}`);
  const times = [window, recovery, slowest].map((time) => time.toFixed(1));
  return [
    fault,
    away.toFixed(1),
    String(asked),
    refused.join(', ') || '0',
    ...times,
    String(wrong),
    String(crossed),
  ];
}

function row(cells: readonly string[]): string {
  const widths = [36, 7, 7, 34, 9, 13, 10, 6, 7];
  return cells
    .map((cell, i) => (i === 0 || i === 3 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
    .join('  ');
}
