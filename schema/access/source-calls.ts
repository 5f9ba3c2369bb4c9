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

/** What is recorded of a call; the functions run only when somebody wants to know. */
export interface CallDescription<Answer> {
  source(): string;
  request(): string;
  found?(answer: Answer): number;
}

/** Does the work of a call, and records it for a request that wants that. @throws what the work throws */
export function recorded<Answer>(
  record: RecordCall | undefined,
  description: CallDescription<Answer>,
  work: () => Promise<Answer>,
): Promise<Answer> {
  return record ? timed(record, description, work) : work();
}

async function timed<Answer>(
  record: RecordCall,
  { source, request, found }: CallDescription<Answer>,
  work: () => Promise<Answer>,
): Promise<Answer> {
  const began = performance.now();
  const call = () => ({
    ...{ source: source(), request: request(), began },
    milliseconds: performance.now() - began,
  });
  try {
    const answer = await work();
    record({ ...call(), ...(found && { found: found(answer) }) });
    return answer;
  } catch (error) {
    record({ ...call(), error: toFault(error).code });
    throw error;
  }
}
