import { request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { UID } from '../../../schema/dicom/dicom.ts';
import { limitedText } from '../../../schema/outbound/limited-text.ts';
import { resending } from '../../../schema/outbound/resending.ts';

/** Time until the whole answer has to be received. */
const TIMEOUT_MILLISECONDS = 5000;
const MAX_BYTES = 1 << 20;

/** Strict: an unknown key, such as `error`, may mean that the list is wrong. */
const decision = z.strictObject({ withheld: z.array(z.string().regex(UID)) });

/** The question to a decision service (IA-31). */
export interface WithholdQuestion {
  studies: readonly { studyUid: string }[];
}

/**
 * Asks a decision service which studies it withholds. It sends the question by POST and expects 200 with
 * `{ "withheld": [UID] }`, where each UID is in the question. Redirects are not followed.
 * @returns the UIDs; undefined when there is no such answer within five seconds
 */
export async function askDecisionService(
  url: string,
  question: WithholdQuestion,
  dispatcher?: Dispatcher,
): Promise<ReadonlySet<string> | undefined> {
  // AbortSignal.timeout would keep its timer for five seconds after every answer.
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), TIMEOUT_MILLISECONDS);
  try {
    const { statusCode, body } = await resending(() =>
      request(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(question),
        signal: timeout.signal,
        ...(dispatcher && { dispatcher }),
      }),
    );
    const text = await limitedText(body, MAX_BYTES);
    if (statusCode !== 200) return undefined;
    const { withheld } = decision.parse(JSON.parse(text));
    const asked = new Set(question.studies.map(({ studyUid }) => studyUid));
    return withheld.every((uid) => asked.has(uid)) ? new Set(withheld) : undefined;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
