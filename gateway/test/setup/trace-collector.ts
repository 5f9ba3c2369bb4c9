/** A collector of traces: OTLP over HTTP with JSON, https://opentelemetry.io/docs/specs/otlp/#otlphttp. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A span as it was exported. */
export interface ExportedSpan {
  traceId: string;
  spanId: string;
  /** Absent for a span without a parent. */
  parentSpanId?: string;
  name: string;
  attributes: Record<string, unknown>;
  status: { code?: number };
}

export interface TraceCollector {
  /** Base URL, for OTEL_EXPORTER_OTLP_ENDPOINT. */
  url: string;
  /** Everything that was sent, as text. */
  received: string[];
  /** Names of the services that have sent spans. */
  services: Set<string>;
  spans: ExportedSpan[];
  close(): Promise<void>;
}

interface Exported {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { spans: (Omit<ExportedSpan, 'attributes'> & { attributes: Attribute[] })[] }[];
  }[];
}
interface Attribute {
  key: string;
  value: Record<string, unknown>;
}

/** Starts a collector on a free port. @param hangs it takes requests and answers none */
export async function startTraceCollector({ hangs = false } = {}): Promise<TraceCollector> {
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      collector.received.push(body);
      if (hangs) return;
      if (request.url !== '/v1/traces') return response.writeHead(404).end();
      for (const { resource, scopeSpans } of (JSON.parse(body) as Exported).resourceSpans) {
        collector.services.add(String(valuesOf(resource.attributes)['service.name']));
        for (const span of scopeSpans.flatMap(({ spans }) => spans))
          collector.spans.push({ ...span, attributes: valuesOf(span.attributes) });
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const collector: TraceCollector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: [],
    services: new Set(),
    spans: [],
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return collector;
}

const valuesOf = (attributes: Attribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
