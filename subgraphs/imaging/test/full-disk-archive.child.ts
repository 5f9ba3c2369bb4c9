import { testAccess, testSubgraph, testTenant } from './subgraph.ts';

/** Requests paths of a tenant in a separate process, whose resources may be limited. Prints each answer. */
const [images = '', ...asked] = process.argv.slice(2);
const served = await testSubgraph([testTenant(JSON.parse(images) as object)], {
  all: testAccess('all', 'system/ImagingStudy.rs'),
});
const answers: object[] = [];
for (const line of asked) {
  const [path, accept] = JSON.parse(line) as [path: string, accept: string];
  const headers = { authorization: 'Bearer all', accept };
  const { statusCode: status, headers: given } = await served.app.inject({
    url: `/test/dicomweb${path}`,
    headers,
  });
  answers.push({ status, retryAfter: given['retry-after'], error: given['cache-control'] === 'no-store' });
}
await served.close();
process.stdout.write(JSON.stringify(answers));
