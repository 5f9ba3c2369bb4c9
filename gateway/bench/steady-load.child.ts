/**
 * A client that measures how many requests a server answers in a second, and then how long it takes for each at a part of
 * that rate. Started with a file of its job, it prints a `SteadyResult` as JSON. A process of its own: it does nothing else.
 */
import { readFileSync } from 'node:fs';
import { atFixedRate, quantile } from './fixed-rate.ts';
import { KeptConnection } from './kept-connection.ts';
import { processCost } from './peers/process-cost.ts';
import type { SteadyJob, SteadyResult } from './steady-load.ts';
import { throughput } from './throughput.ts';

/** Requests before the capacity is measured. */
const WARM_UP = 2000;

const [file] = process.argv.slice(2);
const { origin, path, posted, connections, part, seconds, pid } = JSON.parse(
  readFileSync(file!, 'utf8'),
) as SteadyJob;

const send = (connection: KeptConnection, number: number): Promise<number> => {
  const { headers, body } = posted[number % posted.length]!;
  return connection.send(path, headers, body);
};

const first = await throughput(origin, { count: WARM_UP, connections }, send);
const count = Math.ceil(first * seconds);
const idle = processCost(pid).processor;
const capacity = await throughput(origin, { count, connections }, send);
const busy = processCost(pid).processor;
const rate = capacity * part;
const kept = Array.from({ length: connections }, () => new KeptConnection(origin));
const { latencies, delays, answered } = await atFixedRate(
  { rate, seconds, connections },
  (connection, number) => send(kept[connection]!, number),
);
const steady = processCost(pid).processor;
kept.forEach((connection) => connection.close());
const result: SteadyResult = {
  capacity,
  rate,
  p50: quantile(latencies, 0.5),
  p99: quantile(latencies, 0.99),
  p999: quantile(latencies, 0.999),
  answered,
  delay99: quantile(delays, 0.99),
  costBusy: ((busy - idle) * 1000) / count,
  costAtRate: ((steady - busy) * 1000) / latencies.length,
};
process.stdout.write(JSON.stringify(result));
