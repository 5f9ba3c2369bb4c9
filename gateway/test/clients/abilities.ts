/** The table of docs/clients.md: what each client can do with this server. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** By name of an ability, a check of it; an ability that the client has no function for is not among them. */
export type Abilities = Readonly<Record<string, () => Promise<void>>>;

/**
 * Defines a test of each ability, and one that docs/clients.md promises just these.
 * @param client the heading of its column
 */
export function testAbilities(client: string, abilities: Abilities): void {
  test(`docs/clients.md says what ${client} can do`, () => {
    expect(documented(client)).toEqual(Object.keys(abilities));
  });
  test.each(Object.entries(abilities))(`${client} %s`, async (_name, check) => check(), 60_000);
}

/** Reads the abilities that docs/clients.md promises for a client. */
function documented(client: string): string[] {
  const text = readFileSync(new URL('../../../docs/clients.md', import.meta.url), 'utf8');
  const rows = text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  const column = rows[0]?.indexOf(client) ?? -1;
  return rows.flatMap((row) => (row[column] === 'yes' ? [row[1]!] : []));
}
