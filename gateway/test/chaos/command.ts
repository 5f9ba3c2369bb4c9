import { loadOf, type Load } from './questions.ts';
import { startSystem, type System } from './system.ts';

/**
 * Runs a command over the whole system: prints what it finds, and ends the process, with exit code 1 if that is anything.
 * @param find returns sentences, each of something that must not be
 */
export async function runOverSystem(find: (system: System, load: Load) => Promise<string[]>): Promise<never> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const system = await startSystem();
  const load = loadOf(system);
  let findings: string[] = [];
  try {
    await load.learn();
    findings = await find(system, load);
  } finally {
    await load.close();
    await system.stop();
  }
  for (const finding of new Set(findings)) console.log(`FOUND ${finding}`);
  console.log(`${findings.length} findings`);
  process.exit(findings.length > 0 ? 1 : 0);
}
