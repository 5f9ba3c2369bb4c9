/** SQL at the demonstration, as it is started: with the engine, and where the engine is not installed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SQL_EXAMPLES } from '../../viewer/src/playground/sql/sql-examples.ts';
import { startGateway, type GatewayProcess } from './setup/gateway.ts';
import { QUESTION } from './sql-gateway.ts';

/** Makes a package look as if it were not installed. */
const WITHOUT = `export const resolve = (name, context, next) => {
  if (name.startsWith('@duckdb/')) throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
  return next(name, context);
};`;
const hooks = JSON.stringify(`data:text/javascript,${encodeURIComponent(WITHOUT)}`);
const register = `import { register } from 'node:module'; register(${hooks});`;
const NOT_INSTALLED = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(register)}` };

const tokenOf = async ({ url, dataDir }: GatewayProcess) => {
  const secret = readFileSync(join(dataDir, 'demo/secret'), 'utf8').trim();
  const answer = await fetch(`${url}/demo/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`demo-analyst:${secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'system/*.rs' }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
};
const asked = async (gateway: GatewayProcess, path: string, init: RequestInit = {}) =>
  fetch(`${gateway.url}/demo/fhir/${path}`, {
    ...init,
    headers: {
      ...(init.headers as Record<string, string>),
      authorization: `Bearer ${await tokenOf(gateway)}`,
    },
  });
const question = { method: 'POST', headers: { 'content-type': 'application/sql' }, body: QUESTION };

describe('with the engine', () => {
  let gateway: GatewayProcess;
  beforeAll(async () => {
    gateway = await startGateway();
  }, 120_000);
  afterAll(() => gateway?.stop());

  test('the question is answered soon after the start', { timeout: 60_000 }, async () => {
    let answer = await asked(gateway, '$sql-run?code=44054006', question);
    while (answer.status === 503) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      answer = await asked(gateway, '$sql-run?code=44054006', question);
    }
    expect(answer.status).toBe(200);
    const rows = (await answer.text()).trim().split('\n');
    const studies = await asked(
      gateway,
      'ImagingStudy?patient=87a339d0-8cae-418e-89c7-8651e6aab3c6&modality=CT',
    );
    const { total } = (await studies.json()) as { total: number };
    expect(rows).toHaveLength(total);
    expect(JSON.parse(rows[0]!)).toEqual({ id: expect.any(String), started: expect.any(String), last: 6.9 });
    expect(gateway.log()).not.toMatch(/"level":(50|60)/);
  });

  test.each(SQL_EXAMPLES)('the example of the playground is answered: $question', async (example) => {
    const { sql, parameters = {} } = example;
    const answer = await asked(gateway, `$sql-run?${new URLSearchParams(parameters)}`, {
      ...question,
      body: sql,
    });
    const text = await answer.text();
    expect([answer.status, text]).toEqual([200, expect.stringMatching(/^\{/)]);
  });
});

describe('without the engine', () => {
  let gateway: GatewayProcess;
  beforeAll(async () => {
    gateway = await startGateway(NOT_INSTALLED);
  }, 120_000);
  afterAll(() => gateway?.stop());

  test('the operations say how to get it; all else works', { timeout: 60_000 }, async () => {
    const answer = await asked(gateway, '$sql-run?code=44054006', question);
    const { issue } = (await answer.json()) as { issue: { diagnostics: string }[] };
    expect([answer.status, issue[0]!.diagnostics]).toEqual([
      501,
      expect.stringContaining('@duckdb/node-api'),
    ]);
    for (const path of ['Patient', 'ImagingStudy', 'ViewDefinition', 'Library', 'metadata'])
      expect([path, (await asked(gateway, path)).status]).toEqual([path, 200]);
    expect((await fetch(`${gateway.url}/health/ready`)).status).toBe(200);
    expect(gateway.log()).not.toMatch(/"level":(50|60)/);
  });
});
