import { parseArgs } from 'node:util';
import type { Tenants } from '../tenants/loading/settings.ts';
import { tenantFiles } from '../tenants/loading/tenants.ts';
import type { Report, SelfTest } from './self-test.ts';

/** The first argument that makes the program check a tenant instead of serving. */
export const COMMAND = 'check-tenant';

const USAGE = 'Usage: npm run check:tenant -- <key> [--patient ID] [--json]';

/** The tenant to check, and how. */
export interface AskedCheck {
  key: string;
  patient?: string | undefined;
  json: boolean;
}

/**
 * Reads the arguments of `npm run check:tenant -- <key>`. It reads only the names of the tenant files, and writes nothing.
 * @param args arguments after the command's name
 * @param directory folder of the tenant files
 * @param isNamed true when TENANTS_DIR names that folder
 * @returns what to check, or the text for somebody who named no tenant
 * @throws SettingsError when the folder cannot be read
 */
export function askedCheck(
  args: readonly string[],
  directory: string,
  isNamed: boolean,
): AskedCheck | string {
  const asked = readArguments(args);
  const keys = tenantFiles(directory).map((name) => name.slice(0, -'.json'.length));
  if (asked && keys.includes(asked.key)) return asked;
  const shipped = isNamed ? '' : '; TENANTS_DIR is not set: these are the shipped tenants';
  const wrong = asked ? `There is no tenant ${asked.key} in ${directory}${shipped}.` : USAGE;
  return `${wrong}\nTenants: ${keys.join(', ')}\n`;
}

/**
 * Checks what a tenant depends on and writes the report (SM-18).
 * @param write takes text for stdout
 * @returns the exit code: 0 when nothing failed, else 1
 */
export async function checkTenant(
  { key, patient, json }: AskedCheck,
  tenants: Pick<Tenants, 'all' | 'skipped'>,
  selfTest: SelfTest,
  write: (text: string) => void,
): Promise<0 | 1> {
  const tenant = tenants.all.find((one) => one.key === key);
  if (!tenant) {
    const left = tenants.skipped.find((one) => one.key === key);
    write(`${key} is left out: ${left?.reason}\n`);
    return 1;
  }
  const report = await selfTest(tenant, patient);
  write(json ? `${JSON.stringify(report, undefined, 2)}\n` : table(report));
  return report.ok ? 0 : 1;
}

function readArguments(args: readonly string[]): AskedCheck | undefined {
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
