import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type SpanOptions,
  type Tracer,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import type { FastifyInstance } from 'fastify';
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { MeasureCall } from '../../schema/access/source-calls.ts';
import type { Measured } from '../../schema/process/measured.ts';
import { LONGEST_NAME, type AnsweredOperation, type Metrics } from '../http/metrics.ts';
import type { TraceSettings } from '../settings.ts';
import { collector } from './collector.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The place in a trace that the work for this request has. */
    traced?: Context | undefined;
  }
}

/** Milliseconds for the last export when the process stops. */
const LAST_EXPORT = 2_000;
/** Channel of undici, also of the one in Node, with each request before it is sent. */
const REQUESTS = 'undici:request:create';
const W3C = new W3CTraceContextPropagator();

/** Message of that channel. */
interface CreatedRequest {
  request: { addHeader(name: string, value: string): void };
}

/** The work that is being done. */
interface Work {
  context: Context;
  /** True for a call to a source: only its requests carry the trace to another server. */
  isCall: boolean;
}

/**
 * Traces of requests, by OpenTelemetry: a span for each request, for each GraphQL operation and for each call to a source.
 * No span has an id of a patient or study, a value of a search, a URL, a variable or a token (SM-14). Nothing of
 * OpenTelemetry is registered for the whole process: libraries that trace by themselves would write documents into spans.
 */
export class Traces {
  readonly #provider: NodeTracerProvider;
  readonly #tracer: Tracer;
  readonly #work = new AsyncLocalStorage<Work>();

  /** Begins to trace. @param log gets a line when spans are lost */
  constructor({ endpoint, serviceName, ratio }: TraceSettings, log: Pick<Logger, 'warn'>) {
    this.#provider = new NodeTracerProvider({
      resource: resourceFromAttributes({ 'service.name': serviceName }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
      // Its queue is bounded; spans beyond it are dropped.
      spanProcessors: [new BatchSpanProcessor(collector(endpoint, log))],
    });
    this.#tracer = this.#provider.getTracer('smart-imaging-gateway');
    subscribe(REQUESTS, this.#send);
  }

  /** Ends tracing. What is not exported in two seconds is lost. */
  async close(): Promise<void> {
    unsubscribe(REQUESTS, this.#send);
    await Promise.race([this.#provider.shutdown().catch(() => undefined), delay(LAST_EXPORT)]);
  }

  /** Traces each request of a server, except those of probes. It continues the caller's trace (W3C Trace Context). */
  requests(app: FastifyInstance): void {
    app.decorateRequest('traced', undefined);
    app.addHook('onRequest', (request, { raw: response }, done) => {
      const { method, id, headers, routeOptions } = request;
      const { url: route, config } = routeOptions;
      if (config.probe) return done();
      const { traceparent } = headers;
      const parent = W3C.extract(ROOT_CONTEXT, { traceparent }, defaultTextMapGetter);
      const attributes = { 'http.request.method': method, 'request.id': id, 'http.route': route };
      const span = this.#tracer.startSpan(
        route === undefined ? method : `${method} ${route}`,
        { kind: SpanKind.SERVER, attributes },
        parent,
      );
      response.once('close', () => {
        const { tenant } = request;
        if (tenant && !tenant.dynamic) span.setAttribute('gateway.tenant', tenant.key);
        if (response.headersSent) span.setAttribute('http.response.status_code', response.statusCode);
        if (!response.writableFinished) span.setAttribute('error.type', 'ended');
        if (response.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      });
      request.traced = trace.setSpan(parent, span);
      this.#work.run({ context: request.traced, isCall: false }, done);
    });
    // The body comes by events of the connection, which are of no request.
    app.addHook('preValidation', ({ traced }, _reply, done) => {
      if (traced) this.#work.run({ context: traced, isCall: false }, done);
      else done();
    });
  }

  /** Returns metrics that also trace operations and calls to sources. */
  with(metrics: Metrics): Metrics {
    const sourceCall: MeasureCall = (call) => {
      const options = {
        kind: SpanKind.CLIENT,
        attributes: { 'gateway.source': call.source(), 'gateway.source.type': call.kind },
      };
      // The names of the search's parameters are of no use without their values.
      const [name = ''] = call.request().split('?');
      return this.#measured(metrics.sourceCall(call), { name, options }, (span, outcome) => {
        span.setAttribute('gateway.outcome', outcome);
        if (outcome === 'ok' || outcome === 'ended') return;
        span.setAttribute('error.type', outcome);
        span.setStatus({ code: SpanStatusCode.ERROR });
      });
    };
    const operation = () =>
      this.#measured<AnsweredOperation | undefined>(
        metrics.operation(),
        { name: 'GraphQL' },
        (span, asked) => {
          if (!asked) return;
          const { type, name = 'anonymous' } = asked;
          const known = name.length > LONGEST_NAME ? 'other' : name;
          span.updateName(`${type} ${known}`);
          span.setAttributes({ 'graphql.operation.type': type, 'graphql.operation.name': known });
        },
      );
    return { ...metrics, sourceCall, operation };
  }

  #measured<End>(
    measured: Measured<End>,
    { name, options = {} }: { name: string; options?: SpanOptions },
    describe: (span: Span, end: End) => void,
  ): Measured<End> {
    const parent = this.#work.getStore()?.context ?? ROOT_CONTEXT;
    const span = this.#tracer.startSpan(name, options, parent);
    const work = { context: trace.setSpan(parent, span), isCall: options.kind === SpanKind.CLIENT };
    return {
      run: (begin) => this.#work.run(work, () => measured.run(begin)),
      end: (end) => {
        measured.end(end);
        describe(span, end);
        span.end();
      },
    };
  }

  /** Adds the trace to a request of a call. What a caller sent beside it, such as `baggage`, is not passed on. */
  readonly #send = (message: unknown): void => {
    const work = this.#work.getStore();
    if (!work?.isCall) return;
    const carrier: Record<string, string> = {};
    W3C.inject(work.context, carrier, defaultTextMapSetter);
    const { request } = message as CreatedRequest;
    for (const [name, value] of Object.entries(carrier)) request.addHeader(name, value);
  };
}
