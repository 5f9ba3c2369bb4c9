import { request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { UID } from '../../../schema/dicom/dicom.ts';
import { limitedText } from '../../../schema/outbound/limited-text.ts';
import { resending } from '../../../schema/outbound/resending.ts';

/** Until the whole answer has to be there. */
const TIMEOUT_MILLISECONDS = 5000;
const MAX_BYTES = 1 << 20;

/** A key that is not known, such as `error`, might mean that the list is not to be believed. */
const decision = z.strictObject({ withheld: z.array(z.string().regex(UID)) });

/** What a decision service is asked (IA-31). */
export interface WithholdQuestion {
  studies: readonly { studyUid: string }[];
}

/**
 * Asks a decision service which of some studies it withholds: POST of the question, answered with 200 and
 * `{ "withheld": [UID] }`, whose UIDs are of the question. Redirects are not followed.
 * @returns the UIDs; undefined where there is no such answer within five seconds
 */
export async function askDecisionService(
  url: string,
  question: WithholdQuestion,
  dispatcher?: Dispatcher,
): Promise<ReadonlySet<string> | undefined> {
  // AbortSignal.timeout would live its five seconds out after every answer.
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
