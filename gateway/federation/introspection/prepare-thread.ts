/** Writes the answers to the introspections that tools send. The build runs it in a thread, and compresses them. */
import { buildSchema } from 'graphql';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { introspectionAnswer } from './answer.ts';
import { answerNames, PREPARED } from './prepared-files.ts';
import { UsualIntrospection } from './usual-form.ts';

const sdl = readFileSync(new URL('../../../schema/api.graphql', import.meta.url));
const schema = buildSchema(sdl.toString(), { noLocation: true, assumeValid: true });
const nameOf = answerNames(sdl);
mkdirSync(PREPARED, { recursive: true });
for (const form of new UsualIntrospection().standardForms()) {
  writeFileSync(new URL(`${nameOf(form)}.json`, PREPARED), await introspectionAnswer(schema, form));
}
