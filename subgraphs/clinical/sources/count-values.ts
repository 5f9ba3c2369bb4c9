import { tooLong } from './fhir-server-fault.ts';

/** About as many values as 10 MB of resources have; parsing them blocks the event loop for about 0.1 s. */
const MAX_VALUES = 1_000_000;

/** `,` `:` `[` and `{`: one or two of them come before each value in JSON. */
const isBeforeValue = (byte: number) => byte === 0x2c || byte === 0x3a || byte === 0x5b || byte === 0x7b;

/**
 * Passes a JSON body on, and counts its values: a long attachment is parsed fast, millions of small values are not.
 * @throws Fault `bad_gateway` for too many values, which would block the event loop
 */
export async function* countValues(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let count = 0;
  for await (const chunk of body) {
    for (const byte of chunk) if (isBeforeValue(byte)) count++;
    if (count > MAX_VALUES) {
      throw tooLong();
    }
    yield chunk;
  }
}
