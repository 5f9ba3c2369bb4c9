import { unreadable } from './fhir-server-fault.ts';

/** 10 MB of resources have as many; parsing them holds the event loop for a tenth of a second or so. */
const MAX_VALUES = 1_000_000;

/** `,` `:` `[` and `{`: one or two of them stand before each value of JSON. */
const isBeforeValue = (byte: number) => byte === 0x2c || byte === 0x3a || byte === 0x5b || byte === 0x7b;

/**
 * Passes a body of JSON on, and counts its values: attachments are long and parsed at once, millions of small values
 * are not.
 * @throws Fault `bad_gateway` where there are too many to parse while others wait
 */
export async function* countValues(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let count = 0;
  for await (const chunk of body) {
    for (const byte of chunk) if (isBeforeValue(byte)) count++;
    if (count > MAX_VALUES) {
      throw unreadable(
        'an answer has too many values. Ask for smaller pages with _count, or search more narrowly',
      );
    }
    yield chunk;
  }
}
