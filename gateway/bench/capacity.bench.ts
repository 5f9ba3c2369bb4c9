/**
 * The cost of one request of each kind in the whole system, one process of each role: processor time of each role, bytes of the
 * answer, commands of Redis. docs/capacity.md computes with these figures. Needs root. `SECONDS` changes how long each kind is
 * asked.
 */
import { Redis } from 'ioredis';
import { loadOf, type Question } from '../test/chaos/questions.ts';
import { startSystem, type System } from '../test/chaos/system.ts';
import { buildProduct } from './built-server.ts';
import type { Figure } from './measure.ts';
import { processCost } from './peers/process-cost.ts';

const SECONDS = Number(process.env['SECONDS'] ?? 10);
/** Rows and columns of an image of 8 bits: 262,144 bytes. */
const SIDE = 512;
/** Requests under way. */
const BUSY = 8;
const PARTS = ['gateway 1', 'clinical 1', 'imaging 1', 'orthanc'] as const;

export async function bench(): Promise<Figure[]> {
  buildProduct();
  const system = await startSystem({ size: 1, side: SIDE });
  const load = loadOf(system, ['ehr']);
  const redis = new Redis(system.redisUrl);
  try {
    await load.learn();
    const names = [...new Set(load.questions.map(({ name }) => name))];
    const figures: Figure[] = [];
    for (const name of names) {
      const questions = load.questions.filter((one) => one.name === name);
      // Warms up.
      await ask(questions, 1);
      figures.push(...(await costOf(name.replace('ehr ', ''), questions, { system, redis })));
    }
    return figures;
  } finally {
    redis.disconnect();
    await load.close();
    await system.stop();
  }
}

async function costOf(
  what: string,
  questions: readonly Question[],
  { system, redis }: { system: System; redis: Redis },
): Promise<Figure[]> {
  const measured = async () => {
    const pids = system.pids();
    const processor = PARTS.map((part) => processCost(pids[part]!).processor);
    return { processor, commands: await commandsOf(redis) };
  };
  const before = await measured();
  const { count, bytes } = await ask(questions, SECONDS);
  const after = await measured();
  return [
    ...PARTS.map((part, i) => ({
      what: `${what}, processor of ${part.replace(' 1', '')}`,
      value: ((after.processor[i]! - before.processor[i]!) * 1000) / count,
      unit: 'ms',
    })),
    { what: `${what}, answer`, value: bytes / count / 1000, unit: 'kB' },
    { what: `${what}, commands of Redis`, value: (after.commands - before.commands) / count, unit: '' },
  ];
}

/** Asks for some seconds. @throws for an answer that is not right */
async function ask(
  questions: readonly Question[],
  seconds: number,
): Promise<{ count: number; bytes: number }> {
  const end = performance.now() + seconds * 1000;
  let [count, bytes] = [0, 0];
  const client = async () => {
    while (performance.now() < end) {
      const { name, ask } = questions[count++ % questions.length]!;
      const { kind, reason, size = 0 } = await ask();
      if (kind !== 'right') throw new Error(`${name}: ${kind} ${reason}`);
      bytes += size;
    }
  };
  await Promise.all(Array.from({ length: BUSY }, client));
  return { count, bytes };
}

async function commandsOf(redis: Redis): Promise<number> {
  const [, count] = /total_commands_processed:(\d+)/.exec(await redis.info('stats'))!;
  return Number(count);
}
