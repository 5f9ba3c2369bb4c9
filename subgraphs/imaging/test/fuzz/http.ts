import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedDataPath } from '../../../../gateway/test/setup/shared-data.ts';
import { smallObjects } from '../../../../gateway/test/setup/small-objects.ts';
import type { TestSubgraph } from '../subgraph.ts';
import { holdAnswer, request, served, STUDY } from './asked.ts';
import { FILES } from './part10.ts';
import { damaged } from './random.ts';
import { Random } from '../../../../gateway/test/setup/random.ts';
import type { Target } from './target.ts';

const directory = mkdtempSync(join(tmpdir(), 'fuzz-'));
let subgraph: TestSubgraph;

/** Invalid requests to a folder with damaged files. */
export const http: Target = {
  name: 'http',
  async open() {
    writeFileSync(join(directory, 'small.dcm'), smallObjects({ studyUid: STUDY, patientId: 'MRN' })[0]!);
    for (const [index, file] of FILES.entries()) {
      const bytes = readFileSync(sharedDataPath('dicom', file));
      writeFileSync(join(directory, `${index}.dcm`), damaged(bytes, new Random(index)));
    }
    subgraph = await served({ type: 'folder', path: directory, lookup: 'studies-by-mrn' });
    await ask('/studies', { authorization: 'Bearer own' });
  },
  async run(random) {
    const { path, headers } = request(random);
    await ask(path, headers);
  },
  async close() {
    await subgraph.close();
    rmSync(directory, { recursive: true, force: true });
  },
};

async function ask(path: string, headers: Record<string, string>): Promise<void> {
  const answer = await subgraph.app.inject({ method: 'GET', url: `/test/dicomweb${path}`, headers });
  holdAnswer(answer, `${path} ${JSON.stringify(headers).slice(0, 300)}`);
}
