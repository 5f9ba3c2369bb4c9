import { toFault, type FaultCode } from '../fault/fault.ts';
import { andThen, orElse, type Awaitable } from '../process/awaitable.ts';
import type { Measured } from '../process/measured.ts';

/** One call to a source, for the explanation of a request (FG-28). It names no host, no credential and no person. */
export interface SourceCall {
  /** Place in the tenant file, and type: `clinical (store)`, `images[0] (dicom-web)`. */
  source: string;
  /** The question, with values only where they cannot identify a person: `search Observation?category=laboratory&patient`. */
  request: string;
  /** When it began, by `performance.now()`. */
  began: number;
  milliseconds: number;
  /** Code of the error. */
  error?: FaultCode;
}

/** Records a call of one request. */
export type RecordCall = (call: SourceCall) => void;

/** Kind of a source, as `type` in the tenant file; `ehr` answers for authorization. */
export type SourceKind = 'store' | 'fhir' | 'folder' | 'dicom-web' | 'dicom-dimse' | 'ehr';
/** `ended`: the caller has left. */
export type CallOutcome = 'ok' | 'ended' | FaultCode;

/** Begins to measure a call of any request. */
export type MeasureCall = (
  call: Pick<CallDescription, 'kind' | 'source' | 'request'>,
) => Measured<CallOutcome>;

/** Those who want to know about the calls of a request. */
export interface CallObservers {
  calls?: RecordCall | undefined;
  measure?: MeasureCall | undefined;
}

/** Facts about a call; the functions run only for a request that is explained or traced. */
export interface CallDescription {
  kind: SourceKind;
  source(): string;
  request(): string;
}

/**
 * Returns the observers of calls that are not told to the caller: those by which it is decided what the caller may see, and
 * those that are made or not because of what the caller may not see. They would tell that it exists (IA-7).
 */
export const untold = ({ measure }: CallObservers): CallObservers => ({ measure });

/** Does the work of a call, and tells its observers. @throws what the work throws */
export function observed<Answer>(
  { calls, measure }: CallObservers,
  description: CallDescription,
  work: () => Awaitable<Answer>,
): Awaitable<Answer> {
  if (!calls && !measure) return work();
  const began = performance.now();
  const measured = measure?.(description);
  const end = (outcome: CallOutcome, details: Pick<SourceCall, 'error'> = {}) => {
    const milliseconds = performance.now() - began;
    measured?.end(outcome);
    calls?.({
      source: description.source(),
      request: description.request(),
      began,
      milliseconds,
      ...details,
    });
  };
  const answered = (value: Answer): Answer => {
    end('ok');
    return value;
  };
  return orElse(
    () => andThen(measured ? measured.run(work) : work(), answered),
    (error) => {
      const { code } = toFault(error);
      end(isEnded(error) ? 'ended' : code, { error: code });
      throw error;
    },
  );
}

/** Sends a request that is measured as one to an EHR. @throws what `send` throws */
export async function measuredRequest<Answer extends { statusCode: number }>(
  measure: MeasureCall,
  method: string,
  send: () => Promise<Answer>,
): Promise<Answer> {
  const call = measure({ kind: 'ehr', source: () => 'authorization (ehr)', request: () => `${method} ehr` });
  try {
    const answer = await call.run(send);
    call.end(answer.statusCode < 500 ? 'ok' : 'bad_gateway');
    return answer;
  } catch (error) {
    call.end(isEnded(error) ? 'ended' : 'unavailable');
    throw error;
  }
}

const isEnded = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';
