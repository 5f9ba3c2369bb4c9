import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../../schema/access/access.ts';
import type { RecordCall, SourceCall } from '../../schema/access/source-calls.ts';
import type { Operation, RecordOperation } from '../../schema/access/audit.ts';
import { continueWork, workOf } from './shared-work.ts';
import { EXPLAINS } from './wire.ts';

/**
 * The work of a subgraph for another process, which records it as its own: a request leaves the same records, each once,
 * wherever its parts run (IA-30).
 */
export interface Collected {
  recorded?: readonly Operation[];
  /** `began` counts from the begin of the request. */
  calls?: readonly SourceCall[];
}

/** The caller of a request, and the work for it. */
export interface Collector {
  access: Access;
  audit: RecordOperation;
  collected(): Collected;
}

/** Collects the work for a request. If the connection closes before the answer is sent, it is recorded here. */
export function collector(request: FastifyRequest, reply: FastifyReply): Collector {
  const recorded: Operation[] = [];
  const calls: SourceCall[] = [];
  const begun = performance.now();
  let isAlone = false;
  reply.raw.once('close', () => {
    isAlone = !reply.raw.writableFinished;
    if (isAlone) for (const operation of recorded) request.audit?.(operation);
  });
  const record: RecordCall = (call) => void calls.push({ ...call, began: call.began - begun });
  const explains = request.headers[EXPLAINS] !== undefined;
  return {
    access: explains ? withCalls(request.access, record) : request.access,
    audit: (operation) => void (isAlone ? request.audit?.(operation) : recorded.push(operation)),
    collected: () => ({ ...(recorded.length > 0 && { recorded }), ...(calls.length > 0 && { calls }) }),
  };
}

function withCalls(access: Access, calls: RecordCall): Access {
  return continueWork({ ...access, calls }, workOf(access));
}

/** Takes the work of a subgraph for a request. @param begun when the request was sent, by `performance.now()` */
export function takeCollected(
  { recorded = [], calls = [] }: Collected,
  {
    audit,
    tell,
    begun,
  }: { audit?: RecordOperation | undefined; tell?: RecordCall | undefined; begun: number },
): void {
  for (const operation of recorded) audit?.(operation);
  for (const call of calls) tell?.({ ...call, began: call.began + begun });
}
