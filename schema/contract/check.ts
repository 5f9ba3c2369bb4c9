/**
 * Compares the API with that of the last release.
 *
 *     npm run check:contract      fails when clients of the last release would break
 *     npm run release:contract    makes the present API the released one, under the version of package.json
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { ACCEPTED_CHANGES } from './accepted-changes.ts';
import { contractChanges, mayBreak, releasedText } from './contract.ts';

const releasedFile = new URL('released.graphql', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const [released, current] = [readFileSync(releasedFile, 'utf8'), read('../api.graphql')];
const { version } = JSON.parse(read('../../package.json')) as { version: string };
const isRelease = process.argv.includes('--release');

const today = new Date().toISOString().slice(0, 10);
const { problems, additions } = contractChanges({ released, current }, { today, accepted: ACCEPTED_CHANGES });
const unexpected =
  isRelease && Object.keys(ACCEPTED_CHANGES).length > 0 && !mayBreak(released, version)
    ? [`Version ${version} of package.json may not break clients. Give the next major version.`]
    : [];
for (const line of additions) console.log(`New for clients, for CHANGELOG.md: ${line}`);
for (const line of [...problems, ...unexpected]) console.error(line);
if (problems.length + unexpected.length > 0) process.exitCode = 1;
else if (isRelease) writeFileSync(releasedFile, releasedText(current, version));
