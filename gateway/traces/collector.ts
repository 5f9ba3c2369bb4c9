import { ExportResultCode } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import type { SpanExporter } from '@opentelemetry/sdk-trace-node';
import type { Logger } from 'pino';

/** Milliseconds that one export may take, with its repetitions. */
const EXPORT_TIMEOUT = 5_000;
/** Milliseconds between two lines of the log about a collector that takes nothing. */
const REPORT_EVERY = 60_000;

/**
 * Returns the exporter to a collector, by OTLP over HTTP with JSON. What it cannot export is lost, and logged at most once
 * in a minute.
 * @param endpoint base URL without a slash at the end
 */
export function collector(endpoint: string, log: Pick<Logger, 'warn'>): SpanExporter {
  const exporter = new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, timeoutMillis: EXPORT_TIMEOUT });
  let [lost, reported] = [0, -Infinity];
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code === ExportResultCode.FAILED) lost += spans.length;
        if (lost > 0 && performance.now() - reported >= REPORT_EVERY) {
          log.warn(
            { spans: lost, reason: result.error?.message },
            'traces cannot be exported: spans are lost',
          );
          [lost, reported] = [0, performance.now()];
        }
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
  };
}
