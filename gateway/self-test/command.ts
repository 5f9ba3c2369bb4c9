import { parseArgs } from 'node:util';
import type { Tenants } from '../tenants/loading/settings.ts';
import type { Report, SelfTest } from './self-test.ts';

/** The first argument that makes the program check a tenant instead of serving. */
export const COMMAND = 'check-tenant';

const USAGE = 'Usage: npm run check:tenant -- <key> [--patient ID] [--json]';

/**
 * Runs `npm run check:tenant -- <key>` (SM-18): checks what a tenant depends on and writes the report.
 * @param args arguments after the command's name
 * @param write takes text for stdout
 * @returns the exit code: 0 when nothing failed, else 1
 */
export async function checkTenant(
  args: readonly string[],
  tenants: Tenants,
  selfTest: SelfTest,
  write: (text: string) => void,
): Promise<0 | 1> {
  const asked = readArguments(args);
  const tenant = asked && tenants.all.find(({ key }) => key === asked.key);
  if (!asked || !tenant) {
    const left = tenants.skipped.find(({ key }) => key === asked?.key);
    const keys = tenants.all.map(({ key }) => key).join(', ');
    write(left ? `${left.key} is left out: ${left.reason}\n` : `${USAGE}\nTenants: ${keys}\n`);
    return 1;
  }
  const report = await selfTest(tenant, asked.patient);
  write(asked.json ? `${JSON.stringify(report, undefined, 2)}\n` : table(report));
  return report.ok ? 0 : 1;
}

function readArguments(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { patient: { type: 'string' }, json: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
    const [key, ...more] = positionals;
    return key === undefined || more.length > 0 ? undefined : { key, ...values };
  } catch {
    return undefined;
  }
}

/** Writes the report as text: a line for each check, and its reason below. */
export function table({ tenant, authorization, images, ok, checks }: Report): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, outcome, reason, milliseconds }) => [
    `  ${name.padEnd(width)}  ${outcome.padEnd(7)} ${String(milliseconds).padStart(6)} ms`,
    ...(reason === undefined ? [] : [`  ${' '.repeat(width)}  ${reason}`]),
  ]);
  const verdict = ok ? 'Nothing failed.' : 'Something failed.';
  return `${tenant}: ${authorization}, images from ${images.join(', ')}\n${lines.join('\n')}\n${verdict}\n`;
}
