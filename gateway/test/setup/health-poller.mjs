/**
 * Sends requests to /health/live at a steady pace, without waiting for the answers, until its input ends. Each says in the
 * header `x-due` how long the main thread of the server had worked when it was due (see event-loop-watch.mjs). Then prints,
 * as one line of JSON, the number of requests that failed and the largest resident memory of the server. Plain JavaScript,
 * because it starts often: compiling would take longer than many attacks.
 *
 *     node health-poller.mjs URL PID
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';

const PERIOD = 20;

const [url, pid] = process.argv.slice(2);
const dispatcher = new Agent({ connections: null, pipelining: 1 });
/** @type {import('./unharmed.ts').Polled} */
const result = { failures: 0, peakMegabytes: 0 };
/** @type {Promise<void>[]} */
const asked = [];

/** @param {Record<string, string>} [headers] */
async function poll(headers = {}) {
  try {
    const options = { dispatcher, headers, headersTimeout: 60_000 };
    const { statusCode, body } = await request(`${url}/health/live`, options);
    await body.dump();
    if (statusCode !== 200) result.failures++;
  } catch {
    result.failures++;
  }
}

/** @param {string} name @returns {string[]} numbers of the server in /proc */
const numbersIn = (name) => readFileSync(`/proc/${pid}/${name}`, 'latin1').split(' ');

// The first request opens a connection and loads what it needs; it is not counted.
await poll();
process.stdout.write('ready\n');

const timer = setInterval(() => {
  asked.push(poll({ 'x-due': numbersIn(`task/${pid}/schedstat`)[0] }));
  result.peakMegabytes = Math.max(result.peakMegabytes, (Number(numbersIn('statm')[1]) * 4096) / 1e6);
}, PERIOD);

process.stdin.resume().once('end', () => {
  clearInterval(timer);
  void Promise.all(asked).then(() => {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    void dispatcher.destroy();
  });
});
