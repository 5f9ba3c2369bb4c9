/** The mean load of one second: single requests at random times, and studies that are opened at random times. */
export interface Arrivals {
  /** Single requests by kind. */
  single: Readonly<Record<string, number>>;
  studies: number;
  /** Frames of a study, how many of them in a second, and the name of their kind. */
  frames: { kind: string; count: number; perSecond: number };
}

export interface Service {
  /** Mean processor time of a kind. */
  milliseconds(kind: string): number;
  /** Part of each processor that is used, at most. */
  used: number;
  /** Milliseconds that 99 of 100 requests wait, at most. */
  wait: number;
}

/** Requests that are simulated, at least, and milliseconds, at least: several times as long as a study takes. */
const [REQUESTS, TIME] = [60_000, 10_000];
/** Fewest processes of a role: one may be away. */
const FEWEST = 2;

interface Request {
  at: number;
  /** Milliseconds of a processor. */
  work: number;
}

/**
 * Simulates requests that are given to processes of one core each in turn, as a balancer does, and answered by each in the
 * order in which they come. Frames come in bursts; a request takes an exponentially distributed time. The same numbers give the
 * same result.
 * @returns the fewest processes with which no more is used, and no longer waited, than is said
 */
export function queued(arrivals: Arrivals, service: Service): number {
  const requests = requestsOf(arrivals, service);
  const time = requests.at(-1)!.at - requests[0]!.at;
  const work = requests.reduce((total, one) => total + one.work, 0);
  let processes = Math.max(FEWEST, Math.ceil(work / time / service.used));
  while (waitOf(requests, processes) > service.wait) processes++;
  return processes;
}

function requestsOf({ single, studies, frames }: Arrivals, { milliseconds }: Service): Request[] {
  const random = randomNumbers(1);
  const exponential = (mean: number) => -mean * Math.log(1 - random());
  const rate = Object.values(single).reduce((total, one) => total + one, studies * frames.count);
  const time = Math.max(TIME, (REQUESTS / rate) * 1000);
  const requests: Request[] = [];
  const add = (kind: string, at: number) => {
    if (at >= 0 && at < time) requests.push({ at, work: exponential(milliseconds(kind)) });
  };
  for (const [kind, perSecond] of Object.entries(single))
    for (let at = exponential(1000 / perSecond); at < time; at += exponential(1000 / perSecond))
      add(kind, at);
  const pause = 1000 / frames.perSecond;
  // Some studies were opened before.
  for (let at = -frames.count * pause; at < time; at += exponential(1000 / studies))
    for (let frame = 0; frame < frames.count; frame++) add(frames.kind, at + frame * pause);
  return requests.sort((a, b) => a.at - b.at);
}

/** Returns the milliseconds that 99 of 100 requests do not exceed before their work begins. */
function waitOf(requests: readonly Request[], processes: number): number {
  const free = new Float64Array(processes);
  const waits = new Float64Array(requests.length);
  requests.forEach(({ at, work }, number) => {
    const process = number % processes;
    const begins = Math.max(at, free[process]!);
    waits[number] = begins - at;
    free[process] = begins + work;
  });
  return waits.sort()[Math.floor(waits.length * 0.99)]!;
}

/** Returns numbers from 0 to 1 that look random (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
