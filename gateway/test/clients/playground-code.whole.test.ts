/** The programs that the playground writes, run as they are: against the demonstration, and with texts of every kind. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LANGUAGES, type Request } from '../../../viewer/src/playground/code/snippets.ts';
import { DEMO_PATIENT } from '../../pages/first-request.ts';
import { LONG } from '../setup/long.ts';
import { ensureInstalled } from '../setup/parts.ts';
import { startDemoGateway, type DemoGateway } from './demo-gateway.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** Of Debian, in the long run only: they are larger than all other parts together. */
const PARTS = {
  'python3-requests': '/usr/lib/python3/dist-packages/requests/__init__.py',
  'python3-pandas': '/usr/lib/python3/dist-packages/pandas/__init__.py',
  'r-base-core': '/usr/bin/Rscript',
  'r-cran-httr': '/usr/lib/R/site-library/httr/DESCRIPTION',
  'r-cran-jsonlite': '/usr/lib/R/site-library/jsonlite/DESCRIPTION',
};

interface Runner {
  /** Ending of its files. */
  ending: string;
  command: [string, ...string[]];
  /** Written after the program: prints its table as JSON in the last line. */
  then: string;
}

const RUNNERS: Readonly<Record<string, Runner>> = {
  curl: { ending: 'sh', command: ['/bin/sh'], then: '' },
  urql: { ending: 'mjs', command: [process.execPath], then: '' },
  'Apollo Client': { ending: 'mjs', command: [process.execPath], then: '' },
  Python: {
    ending: 'py',
    command: ['/usr/bin/python3'],
    then: 'print("\\n" + table.to_json(orient="records"))',
  },
  R: { ending: 'R', command: ['/usr/bin/Rscript', '--vanilla'], then: 'cat("\\n", toJSON(table), sep = "")' },
};
const IN_SCRIPTS = ['Python', 'R'];
const languages = LANGUAGES.filter(({ name }) => LONG || !IN_SCRIPTS.includes(name));

let gateway: DemoGateway;
let echo: Server;
let received: { body?: unknown; authorization?: string | undefined };
let folder: string;

beforeAll(async () => {
  if (LONG) ensureInstalled(PARTS);
  // Beside node_modules: programs for Node find their packages.
  folder = await mkdtemp(join(ROOT, 'node_modules/.cache/playground-code-'));
  gateway = await startDemoGateway();
  echo = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body: unknown = JSON.parse(Buffer.concat(parts).toString());
      received = { body, authorization: request.headers.authorization };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ data: { list: [{ a: 1 }] } }));
    });
  });
  await new Promise<void>((done) => echo.listen(0, '127.0.0.1', done));
}, 600_000);
afterAll(async () => {
  await gateway?.close();
  echo?.close();
  if (folder) await rm(folder, { recursive: true });
});

/** Runs a program. @returns its output */
async function run(name: string, request: Request, token: string): Promise<string> {
  const { ending, command, then } = RUNNERS[name]!;
  const file = join(folder, `${name.replace(' ', '-')}.${ending}`);
  await writeFile(file, `${LANGUAGES.find((one) => one.name === name)!.write(request)}\n${then}\n`);
  const [program, ...args] = command;
  const { stdout } = await promisify(execFile)(program, [...args, file], {
    // A system without a language of its own, as in a container.
    env: { PATH: process.env['PATH'], HOME: tmpdir(), LANG: 'C', ACCESS_TOKEN: token },
  });
  return stdout;
}

const lastLine = (text: string) => text.trimEnd().split('\n').at(-1)!;

describe('programs of the playground', () => {
  const query = `query Series($id: ID!, $modality: [String!]) {
  Patient(id: $id) {
    ImagingStudyList(modality: $modality, _sort: ["started"]) {
      series { uid numberOfInstances description modality { code } }
    }
  }
}`;
  const variables = { id: DEMO_PATIENT, modality: ['CT', 'MR'] };
  const steps = ['Patient', 'ImagingStudyList', 'series'].map((field, at) => ({ field, isList: at > 0 }));

  interface Series {
    modality: { code: string };
    [field: string]: unknown;
  }
  interface Found {
    Patient: { ImagingStudyList: { series: Series[] }[] };
  }
  const seriesOf = (found: Found) =>
    found.Patient.ImagingStudyList.flatMap(({ series }) => series).map(({ modality: { code }, ...one }) => ({
      ...one,
      'modality.code': code,
    }));
  /** Without names of types and without absent values, which each language writes in its own way. */
  const plain = (rows: readonly Record<string, unknown>[]) =>
    rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).filter(([name, value]) => name !== '__typename' && (value ?? null) !== null),
      ),
    );

  test.each(languages)(
    '$name gets the rows of the demonstration',
    async ({ name }) => {
      const token = await gateway.token();
      const url = `${gateway.tenant}/graphql`;
      const response = await fetch(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables }),
      });
      const { data } = (await response.json()) as { data: Found };
      const expected = plain(seriesOf(data));
      expect(expected.length).toBeGreaterThan(2);

      const output = await run(
        name,
        { url, query, variables, needsToken: true, steps, isStreamed: false },
        token,
      );
      const rows = IN_SCRIPTS.includes(name)
        ? (JSON.parse(lastLine(output)) as Record<string, unknown>[])
        : seriesOf(
            name === 'curl' ? (JSON.parse(output) as { data: Found }).data : (JSON.parse(output) as Found),
          );
      expect(plain(rows)).toEqual(expected);
    },
    60_000,
  );

  const COUNTED =
    '{ ObservationConnection(category: ["laboratory"], _count: 20) { edges { resource { id } } } }';

  test.runIf(LONG)('Python gets the rows of all pages', async () => {
    const token = await gateway.token();
    const url = `${gateway.tenant}/graphql`;
    const request = { url, query: COUNTED, variables: {}, needsToken: true, steps: [], isStreamed: true };
    const rows = JSON.parse(lastLine(await run('Python', request, token))) as { id: string }[];
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    expect(rows.length).toBeGreaterThan(100);
    expect(Object.keys(rows[19]!)).toEqual(['id']);
  });

  const TEXTS = [
    `'single' "double" \`back\` """three"""`,
    'back\\slash \\n \\u0041 \\\\ end\\',
    'line\nfeed\r\nand\ttab',
    '$HOME ${HOME} $(id) %s %(x)s {x} {{x}} #{x}',
    'Größe ñ 漢字 😀 \u2028',
    ')---" ]]> </script> EOF',
  ];

  test.each(languages)(
    '$name sends texts of every kind as they are',
    async ({ name }) => {
      const url = `http://127.0.0.1:${(echo.address() as AddressInfo).port}/graphql`;
      const values = {
        texts: TEXTS,
        one: ['x'],
        none: null,
        is: true,
        number: -1.5,
        object: { a: {}, b: [] },
      };
      for (const [at, text] of TEXTS.entries()) {
        // A string of GraphQL has the escapes of JSON; the comment has the text itself.
        const comment = text.replaceAll(/[\r\n\u2028]/g, ' ');
        const asked = `query Q($v: X, $text: String) { list(a: ${JSON.stringify(text)}, v: $v, t: $text) { a } } # ${comment}`;
        const variables = { v: values, text };
        await run(
          name,
          {
            url,
            query: asked,
            variables,
            needsToken: true,
            steps: [{ field: 'list', isList: true }],
            isStreamed: false,
          },
          `token-${at}`,
        );
        const { query: sent, variables: sentVariables } = received.body as {
          query: string;
          variables: unknown;
        };
        // Clients of JavaScript print the query anew, without its comments.
        if (name === 'urql' || name === 'Apollo Client') expect(sent).toContain(JSON.stringify(text));
        else expect(sent).toBe(asked);
        expect(sentVariables).toEqual(variables);
        expect(received.authorization).toBe(`Bearer token-${at}`);
      }
    },
    120_000,
  );
});
