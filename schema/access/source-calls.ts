import { toFault, type FaultCode } from '../fault/fault.ts';

/** One call to a source, for the explanation of a request (FG-28). It names no host, no credential and no person. */
export interface SourceCall {
  /** Place in the tenant file, and type: `clinical (store)`, `images[0] (dicom-web)`. */
  source: string;
  /** The question, with values only where they cannot identify a person: `search Observation?category=laboratory&patient`. */
  request: string;
  /** When it began, by `performance.now()`. */
  began: number;
  milliseconds: number;
  /** Resources or rows in the answer. */
  found?: number;
  /** Code of the error. */
  error?: FaultCode;
}

/** Records a call of one request. */
export type RecordCall = (call: SourceCall) => void;

/** Kind of a source, as `type` in the tenant file; `ehr` answers for authorization. */
export type SourceKind = 'store' | 'fhir' | 'folder' | 'dicom-web' | 'dicom-dimse' | 'ehr';
/** `ended`: the caller has left. */
export type CallOutcome = 'ok' | 'ended' | FaultCode;

/** Measures a call of any request. */
export type MeasureCall = (kind: SourceKind, seconds: number, outcome: CallOutcome) => void;

/** Those who want to know about the calls of a request. */
export interface CallObservers {
  calls?: RecordCall | undefined;
  measure?: MeasureCall | undefined;
}

/** What is known of a call; the functions run only for a request that wants to be explained. */
export interface CallDescription<Answer> {
  kind: SourceKind;
  source(): string;
  request(): string;
  found?(answer: Answer): number;
}

/** Does the work of a call, and tells its observers. @throws what the work throws */
export function observed<Answer>(
  { calls, measure }: CallObservers,
  description: CallDescription<Answer>,
  work: () => Promise<Answer>,
): Promise<Answer> {
  if (!calls && !measure) return work();
  const began = performance.now();
  const answer = work();
  const end = (outcome: CallOutcome, details: Pick<SourceCall, 'found' | 'error'>) => {
    const milliseconds = performance.now() - began;
    measure?.(description.kind, milliseconds / 1000, outcome);
    calls?.({
      source: description.source(),
      request: description.request(),
      began,
      milliseconds,
      ...details,
    });
  };
  return answer.then(
    (value) => {
      end('ok', calls && description.found ? { found: description.found(value) } : {});
      return value;
    },
    (error: unknown) => {
      const { code } = toFault(error);
      end(isEnded(error) ? 'ended' : code, { error: code });
      throw error;
    },
  );
}

/** Returns a `fetch` whose calls are measured as those to an EHR. */
export function measuredFetch(own: typeof fetch, measure: MeasureCall): typeof fetch {
  return async (...request) => {
    const began = performance.now();
    const end = (outcome: CallOutcome) => measure('ehr', (performance.now() - began) / 1000, outcome);
    try {
      const answer = await own(...request);
      end(answer.status < 500 ? 'ok' : 'bad_gateway');
      return answer;
    } catch (error) {
      end(isEnded(error) ? 'ended' : 'unavailable');
      throw error;
    }
  };
}

const isEnded = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';
