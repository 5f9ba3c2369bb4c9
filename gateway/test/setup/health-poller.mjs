/**
 * Sends requests to /health/live at a steady pace, without waiting for the answers, until its input ends. Then
 * prints, as one line of JSON, the waiting times in milliseconds and the largest resident memory of the server. Plain
 * JavaScript, because it starts often: compiling would take longer than many attacks.
 *
 *     node health-poller.mjs URL PID
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';

const PERIOD = 20;

const [url, pid] = process.argv.slice(2);
const dispatcher = new Agent({ connections: null, pipelining: 1 });
/** @type {import('./unharmed.ts').Polled} */
const result = { waits: [], failures: 0, peakMegabytes: 0 };
/** @type {Promise<void>[]} */
const asked = [];

/** @param {number} due when the request should have been sent */
async function poll(due) {
  try {
    const { statusCode, body } = await request(`${url}/health/live`, { dispatcher, headersTimeout: 60_000 });
    await body.dump();
    if (statusCode !== 200) result.failures++;
  } catch {
    result.failures++;
  }
  result.waits.push(performance.now() - due);
}

function residentMegabytes() {
  const [, pages] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ');
  return (Number(pages) * 4096) / 1e6;
}

// The first request opens a connection and loads what it needs; it is not counted.
await poll(performance.now());
result.waits.length = 0;
process.stdout.write('ready\n');

const timer = setInterval(() => {
  asked.push(poll(performance.now()));
  result.peakMegabytes = Math.max(result.peakMegabytes, residentMegabytes());
}, PERIOD);

process.stdin.resume().once('end', () => {
  clearInterval(timer);
  void Promise.all(asked).then(() => {
    result.waits.sort((a, b) => a - b);
    process.stdout.write(`${JSON.stringify(result)}\n`);
    void dispatcher.destroy();
  });
});
