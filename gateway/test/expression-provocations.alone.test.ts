import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectUnharmed, harmOf, startWatchedGateway, type WatchedGateway } from './setup/unharmed.ts';

/** FHIRPath expressions of attackers (FG-23, SM-15), over HTTP and without a token. */

let gateway: WatchedGateway;
let folder: string;

const ONE = `query($e: String) { Patient(id: "large") { identifier(fhirpath: $e) { value } } }`;
/** Thirty lists in one request, each with its own expression. */
const MANY = (() => {
  const names = Array.from({ length: 30 }, (_, index) => `e${index}`);
  const fields = names.map((name) => `${name}: identifier(fhirpath: $${name}) { value }`);
  const variables = names.map((name) => `$${name}: String`);
  return `query(${variables.join(' ')}) { Patient(id: "large") { ${fields.join(' ')} } }`;
})();

const HARMLESS = "value = 'plain'";
/** Compares each coding with each other, which takes some hundred milliseconds. */
const HEAVY = '(type.coding.code | type.coding.display).exists()';
/** Doubles its result with each level. */
const doubled = (levels: number) =>
  `${'select($this.combine('.repeat(levels)}$this${'))'.repeat(levels)}.exists()`;
const HUNG = "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'expressions-'));
  const coding = Array.from({ length: 2500 }, (_, index) => ({ code: `c${index}`, display: `d${index}` }));
  const identifier = [{ value: 'plain' }, { value: 'coded', type: { coding } }];
  const patient = { resourceType: 'Patient', id: 'large', identifier };
  await writeFile(join(folder, 'patients.ndjson'), JSON.stringify(patient));
  gateway = await startWatchedGateway({
    tenants: {
      open: {
        authorization: { type: 'mock', disableAuthzChecks: true },
        clinical: { type: 'store', path: folder },
        images: { type: 'folder', path: { $env: 'DEMO_IMAGES' }, lookup: 'all-studies-on-server' },
      },
    },
    environment: { DYN_TENANTS: 'on' },
  });
  // The first requests plan the queries and load and compile code.
  for (const query of [ONE, MANY])
    for (const expression of [HARMLESS, 'trace()']) await ask(query, expression);
});
afterAll(async () => {
  await gateway?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  data?: { Patient: Record<string, { value: string }[] | null> | null };
  errors?: { message: string; extensions: Record<string, unknown> }[];
}

async function ask(query: string, expression: string): Promise<Answer> {
  const own = Array.from({ length: 30 }, (_, index) => [
    `e${index}`,
    `${index} = ${index} and ${expression}`,
  ]);
  const variables = query === ONE ? { e: expression } : Object.fromEntries(own);
  const response = await fetch(`${gateway.url}/open/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as Answer;
}

describe('FG-23 an expression of a caller without a token', () => {
  const refused: [expression: string, reason: RegExp][] = [
    [`${HUNG}.\`matches\`('^(a+)+$')`, /calls a function by a name in backticks/],
    [`${HUNG}.matches/**/('^(a+)+$')`, /calls matches\(\), which is not allowed/],
    [`'aaaaaaaaaa'${".replace('a', 'aaaaaaaaaa')".repeat(12)}.length() > 0`, /calls replace\(\), which is/],
    [doubled(9), /calls (select|combine)\(\), which is not allowed/],
    [doubled(20), /has more than 40 brackets/],
    ['('.repeat(499), /has more than 40 brackets/],
    [`${'('.repeat(39)}a`, /is not FHIRPath/],
    ['%resource.descendants().descendants().exists()', /uses a variable|calls descendants\(\)/],
    [`${'value = $this and '.repeat(40)}true`, /is longer than 500 characters/],
    [HEAVY, /takes too long/],
  ];

  test('is refused with the reason, without harm to others', async () => {
    const answers: Answer[] = [];
    const harm = await harmOf(gateway, async () => {
      for (const [expression] of refused) answers.push(await ask(ONE, expression));
    });
    for (const [index, [expression, reason]] of refused.entries()) {
      const [error] = answers[index]!.errors!;
      expect(error!.message, expression).toMatch(reason);
      expect(error!.extensions).toMatchObject({ code: 'invalid_request', status: 400 });
    }
    expectUnharmed(harm);
  }, 90_000);

  test('many at once do no harm: another caller is answered meanwhile', async () => {
    let answers: Answer[] = [];
    const others: Answer[] = [];
    const harm = await harmOf(gateway, async () => {
      const attack = Promise.all(Array.from({ length: 2 }, () => ask(MANY, HEAVY)));
      const ended = attack.then(() => true);
      do others.push(await ask(ONE, HARMLESS));
      while (!(await Promise.race([ended, delay(50)])));
      answers = await attack;
    });
    for (const { errors } of answers) {
      expect(errors).toHaveLength(30);
      // About ten run into the time limit of one expression; for the others no time is left.
      const having = (words: string) => errors!.filter(({ message }) => message.includes(words)).length;
      expect(having('takes too long: it was ended after 50 ms')).toBeGreaterThan(0);
      expect(having('take longer than 500 ms together')).toBeGreaterThanOrEqual(19);
      for (const { extensions } of errors!) expect(extensions['code']).toBe('invalid_request');
    }
    expect(others.length).toBeGreaterThan(1);
    const found = { data: { Patient: { identifier: [{ value: 'plain' }] } } };
    for (const answer of others) expect(answer).toEqual(found);
    expectUnharmed(harm);
  }, 90_000);
});

describe('SM-15 an expression in the configuration of a dynamic tenant', () => {
  /** The answer needs no request to the image source, which does not exist. */
  const open = async (mrn: string[]): Promise<{ status: number; text: string }> => {
    const identifier = [{ value: 'a'.repeat(40) }];
    const tenant = {
      authorization: {
        type: 'mock',
        disableAuthzChecks: true,
        patient: { resourceType: 'Patient', id: 'p', identifier },
      },
      images: {
        type: 'dicom-web',
        lookup: 'studies-by-mrn',
        endpoint: 'https://pacs.example.org/dicom-web',
        mrn,
      },
    };
    const encoded = Buffer.from(JSON.stringify(tenant)).toString('base64url');
    const response = await fetch(`${gateway.url}/dyn/${encoded}/fhir/metadata`);
    return { status: response.status, text: await response.text() };
  };

  test('is refused with the reason, without harm to others', async () => {
    const refused: [path: string, reason: RegExp][] = [
      ["identifier.value.where($this.`matches`('^(a+)+$'))", /calls a function by a name in backticks/],
      ["identifier.value.where($this.matches/**/('^(a+)+$'))", /calls matches\(\), which is not allowed/],
      [`identifier.value${".replace('a', 'aaaaa')".repeat(10)}`, /calls replace\(\), which is not allowed/],
      [`identifier.${doubled(7)}`, /calls (select|combine)\(\), which is not allowed/],
      [`${'('.repeat(39)}a`, /is not FHIRPath/],
      ['('.repeat(299), /has more than 40 brackets/],
    ];
    const answers: Awaited<ReturnType<typeof open>>[] = [];
    const harm = await harmOf(gateway, async () => {
      for (const [path] of refused) answers.push(await open([path]));
      // As many expressions as a configuration may hold, each slow to parse.
      answers.push(await open(Array.from({ length: 90 }, (_, index) => `${'('.repeat(39)}a${index}`)));
    });
    for (const [index, [path, reason]] of refused.entries()) {
      expect(answers[index], path).toMatchObject({
        status: 404,
        text: expect.stringMatching(reason) as string,
      });
      expect(answers[index]!.text).toContain('images.mrn[0]');
    }
    expect(answers.at(-1)!.status).toBe(404);
    expectUnharmed(harm);
    expect((await open(["identifier.where(type.coding.code = 'MR').value"])).status).toBe(200);
  }, 90_000);
});
