/** Rows of the tables of faults, and the alterations that several of them share. */
import type { DemoServer } from '../demo-server.ts';
import type { Exchange, Fault } from '../fault-proxy.ts';

export type Options = DemoServer['options'];

// The faults build on answers of our own gateway, whose form the tests know.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Body = any;

/** A fault that a proxy plants into our gateway, and the checks that must find it. */
export interface Row {
  fault: string;
  /** The checks that run. */
  only: readonly string[];
  /** Those of them that must not pass. */
  found: readonly string[];
  plant(options: Options): Fault;
}

/** Alters JSON answers at URLs that match. */
export const alters = (url: RegExp, alter: (body: Body) => Body): Fault => ({
  answer(exchange) {
    const { headers, body } = exchange;
    if (!url.test(exchange.url) || !String(headers['content-type']).includes('json') || body.length === 0)
      return;
    const value = JSON.parse(body.toString()) as Body;
    exchange.body = Buffer.from(JSON.stringify(alter(value) ?? value));
  },
});

/** Alters status, headers and bytes of answers at URLs that match. */
export const answers = (url: RegExp, alter: (exchange: Exchange) => void): Fault => ({
  answer: (exchange) => void (url.test(exchange.url) && alter(exchange)),
});

/** Sends requests with URLs that match to another URL. */
export const asks = (url: RegExp, other: string): Fault => ({
  request: (asked) => ({ url: asked.url.replace(url, other) }),
});

/** Answers 200 and this JSON. */
export function answerOk(exchange: Exchange, body: unknown): void {
  Object.assign(exchange, { status: 200, body: Buffer.from(JSON.stringify(body)) });
}

/** Sets the status of answers at URLs that match. */
export const status = (url: RegExp, code: number): Fault =>
  answers(url, (exchange) => void (exchange.status = code));

/** Sets a header of answers at URLs that match, or removes it. */
export const header = (url: RegExp, name: string, value: string | undefined): Fault =>
  answers(url, ({ headers }) => void (value === undefined ? delete headers[name] : (headers[name] = value)));

/** Returns an entry with a study of the other patient. */
export const foreignStudy = ({ base, otherStudy, otherPatient }: Options) => ({
  fullUrl: `${base}/ImagingStudy/${otherStudy}`,
  resource: {
    resourceType: 'ImagingStudy',
    id: otherStudy,
    identifier: [{ system: 'urn:dicom:uid', value: `urn:oid:${otherStudy}` }],
    status: 'available',
    subject: { reference: `Patient/${otherPatient}` },
  },
  search: { mode: 'match' },
});

/** Returns a row of QIDO-RS with a study of the other patient. */
export const foreignRow = ({ otherStudy }: Options) => ({ '0020000D': { vr: 'UI', Value: [otherStudy] } });
