/** `wrk` of Debian: it takes a small part of what a client in JavaScript takes of the two cores. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const WRK = '/usr/bin/wrk';

export interface WrkRequest {
  headers: Readonly<Record<string, string>>;
  body: string;
}

export interface WrkResult {
  perSecond: number;
  requests: number;
  /** Milliseconds, of all connections busy all the time. */
  p50: number;
  p99: number;
}

/** In a body, it stands for a number that no other request has, also not of another run. */
export const NEW_NUMBER = '1234567890';

/**
 * Writes a script for wrk: it posts these requests, one after another, again and again.
 * @returns its path
 */
export async function writeScript(path: string, requests: readonly WrkRequest[]): Promise<string> {
  const table = requests.map(({ headers, body }) => {
    const pairs = Object.entries(headers).map(([name, value]) => `[ ${lua(name)} ] = ${lua(value)}`);
    return `{ headers = { ${pairs.join(', ')} }, body = ${lua(body)} }`;
  });
  const script = `local all = {\n${table.join(',\n')}\n}
    local sent = 0
    local run = os.time()
    request = function()
      local one = all[sent % #all + 1]
      sent = sent + 1
      one.headers["Host"] = wrk.headers["Host"]
      return wrk.format("POST", nil, one.headers, (string.gsub(one.body, "${NEW_NUMBER}", run .. sent)))
    end\n`;
  await writeFile(path, script);
  return path;
}

/** A long string of Lua takes every character. */
const lua = (text: string): string => `[==[${text}]==]`;

/** How long, and over how many connections, by default 32. */
export interface WrkLoad {
  seconds: number;
  connections?: number;
}

/**
 * Sends requests for some seconds.
 * @throws when wrk is not installed, or an answer is no 200
 */
export async function wrk(
  url: string,
  script: string,
  { seconds, connections = 32 }: WrkLoad,
): Promise<WrkResult> {
  if (!existsSync(WRK)) throw new Error('This benchmark needs wrk: apt-get install wrk');
  const load = [`-c${connections}`, `-d${seconds}s`, '--timeout', '30s'];
  const args = ['-t1', ...load, '--latency', '-s', script, url];
  const { stdout } = await promisify(execFile)(WRK, args);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`${url} failed under load:\n${stdout}`);
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)![1]);
  return {
    perSecond: number(/Requests\/sec:\s+([\d.]+)/),
    requests: number(/(\d+) requests in/),
    p50: milliseconds(/50%\s+([\d.]+)(us|ms|s)/.exec(stdout)!),
    p99: milliseconds(/99%\s+([\d.]+)(us|ms|s)/.exec(stdout)!),
  };
}

function milliseconds([, value, unit]: RegExpExecArray): number {
  return Number(value) * { us: 0.001, ms: 1, s: 1000 }[unit as 'us' | 'ms' | 's'];
}
