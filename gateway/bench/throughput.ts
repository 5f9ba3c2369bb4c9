import { KeptConnection } from './kept-connection.ts';
import { duration } from './measure.ts';

/**
 * Sends requests over connections that are kept open: on each the next one, when the one before is answered.
 * @param send sends the request with a number, from 0
 * @returns requests in a second
 */
export async function throughput(
  origin: string,
  { count, connections }: { count: number; connections: number },
  send: (connection: KeptConnection, number: number) => Promise<unknown>,
): Promise<number> {
  const numbers = Array.from({ length: count }, (_, number) => number).values();
  const took = await duration(() =>
    Promise.all(
      Array.from({ length: connections }, async () => {
        const connection = new KeptConnection(origin);
        for (const number of numbers) await send(connection, number);
        connection.close();
      }),
    ),
  );
  return (count * 1000) / took;
}
