/**
 * Each document of a corpus has the same answer, compiled, by a stock ApolloGateway, and by one schema that another library
 * stitches: the same data to the byte, the same errors, and the same audit records.
 */
import { buildSchema, isUnionType, parse, validate } from 'graphql';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { governingType } from '../../../schema/access/scopes.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { LONG } from '../setup/long.ts';
import { Random } from '../setup/random.ts';
import { describeWithSharedData } from '../setup/shared-data.ts';
import {
  generated,
  handWritten,
  type Asker,
  type Caller,
  type CorpusDocument,
  type Wrong,
} from './corpus.ts';
import { pathsTo, refusedDocuments } from './refused-documents.ts';
import { accessTo, ownIds, writeCorpus, type CorpusPatient } from './record.ts';
import {
  executorServers,
  wholeAndHalved,
  type Answered,
  type Asked,
  type ExecutorServers,
} from './servers.ts';

/** Generated documents. */
const GENERATED = LONG ? 5000 : 150;
/** Generated documents of one test. */
const PART = 50;
/** Requests of two patients to one server, and those of them that are under way at once. */
const REQUESTS = LONG ? 10_000 : 250;
const AT_ONCE = 8;

type Judged = Record<'stock' | 'compiled' | 'stitched', Answered>;

const sdl = (name: string) =>
  readFileSync(join(import.meta.dirname, `../../../schema/${name}.graphql`), 'utf8');
const schema = buildSchema(sdl('api'), { assumeValid: true });
const union = schema.getType('ResourceUnion');
const members = isUnionType(union) ? union.getTypes().map(({ name }) => name) : [];

/** The rows of a table are made before the record is written: here only their names count. */
const NOBODY: Asker = { patient: '', other: '', own: '', members, ids: new Map(), elements: new Map() };

const written = (asker: Asker) => [...handWritten(asker), ...refusedDocuments(asker)];

describeWithSharedData('the corpus', () => {
  let directory: string;
  let patients: readonly [CorpusPatient, CorpusPatient];
  let askers: readonly [Asker, Asker];
  let tenants: readonly [whole: Tenant, halved: Tenant];
  let servers: ExecutorServers;
  /** Generated documents that may be answered wrongly by the others. */
  const few = Math.ceil(GENERATED / 300);
  const allowed = { positions: few, order: few, stitched: few };
  const found = { types: new Set<string>(), codes: new Set<unknown>() };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'corpus-'));
    const written = await writeCorpus(directory);
    const { data, elements } = written;
    ({ patients } = written);
    const asker = (number: 0 | 1): Asker => ({
      patient: patients[number].id,
      other: patients[1 - number]!.id,
      own: `p${number + 1}`,
      ids: patients[number].ids,
      elements,
      members,
    });
    askers = [asker(0), asker(1)];
    tenants = wholeAndHalved(data);
    servers = await executorServers(directory);
    const query = '{ ImagingStudyList { id } }';
    for (const tenant of tenants) {
      const indexed = { query, tenant, access: accessTo(patients, 'user/*.rs') };
      await vi.waitFor(
        async () => expect((await servers.compiled(indexed)).data).toContain('1.2.3.1'),
        30_000,
      );
    }
  }, 120_000);
  afterAll(async () => {
    await servers?.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** @param number of the patient whose token it is */
  function asked({ query, variables, caller, isHalved }: CorpusDocument, number: 0 | 1): Asked {
    const own = [patients[number]];
    const access = {
      patient: () => accessTo(own, 'patient/*.rs'),
      'few scopes': () => accessTo(own, 'patient/Patient.rs patient/ImagingStudy.rs patient/Observation.s'),
      'images only': () => accessTo(own, 'patient/ImagingStudy.rs patient/Condition.rs'),
      user: () => accessTo(patients, 'user/*.rs'),
      system: () => accessTo('all', 'system/*.rs'),
    } satisfies Record<Caller, () => Asked['access']>;
    return { query, variables, access: access[caller](), tenant: tenants[isHalved ? 1 : 0] };
  }

  /** Returns what stock does wrong with a generated document, which happens to few of them. */
  function wrongOf({ stock, compiled, stitched }: Judged): Wrong | undefined {
    if (isDeepStrictEqual(comparable(stock), comparable(compiled))) return undefined;
    const wrong = stock.data !== compiled.data && stitched.data === compiled.data ? 'order' : 'positions';
    return allowed[wrong]-- > 0 ? wrong : undefined;
  }

  async function hold(document: CorpusDocument): Promise<void> {
    const { query, code, isGenerated } = document;
    expect(validate(schema, parse(query)), query).toEqual([]);
    const request = asked(document, 0);
    const stock = await servers.stock(request);
    const compiled = await servers.compiled(request);
    const stitched = await servers.stitched(request);
    const wrong = document.wrong ?? (isGenerated ? wrongOf({ stock, compiled, stitched }) : undefined);
    expect(comparable(compiled, wrong), query).toEqual(comparable(stock, wrong));
    // It is wrong: a later version of it may not be.
    if (wrong) expect(isDeepStrictEqual(comparable(compiled), comparable(stock)), query).toBe(false);
    expect(compiled.fetches, query).toBe(0);
    const split = await servers.split(request);
    expect(comparable(split), query).toEqual(comparable(compiled));
    const isBeyond = stitched.data !== compiled.data && isGenerated && allowed.stitched-- > 0;
    const isSame = stitched.data === compiled.data;
    expect(isSame, `${query}\n${stitched.data}\n${compiled.data}`).toBe(
      !(document.isBeyondStitching ?? isBeyond),
    );
    for (const [, type] of stock.data.matchAll(/"__typename":"(\w+)"/g)) found.types.add(type!);
    const codes = stock.errors.map(({ extensions }) => extensions?.['code'] as unknown);
    codes.forEach((one) => found.codes.add(one));
    if (code) expect(codes).toContain(code);
  }

  test.each(written(NOBODY).map(({ what }, index) => [what, index] as const))('%s', async (_what, index) =>
    hold(written(askers[0])[index]!),
  );

  const parts = Array.from({ length: GENERATED / PART }, (_, part) => part * PART);
  test.each(parts)(
    'documents that are generated, from number %i',
    async (first) => {
      for (const document of generated(schema, askers[0], [first, first + PART])) await hold(document);
    },
    120_000,
  );

  test('the corpus has every entity, every type of the union, and every kind of error', () => {
    const entities = Object.keys(schema.getTypeMap()).filter((name) =>
      ['clinical', 'imaging'].every((subgraph) => sdl(subgraph).includes(`type ${name} @key(`)),
    );
    expect(entities.length).toBeGreaterThan(40);
    expect([...entities, ...members].filter((name) => !found.types.has(name))).toEqual([]);
    const codes = [
      'insufficient_scope',
      'forbidden',
      'not_found',
      'invalid_request',
      'unsupported_parameter',
    ];
    expect(
      [...codes, 'bad_gateway', 'unavailable', 'internal'].filter((code) => !found.codes.has(code)),
    ).toEqual([]);
  });

  test.each(members)('FG-31 without the scope of %s no path leads to one', async (type) => {
    const others = members.filter((one) => one !== governingType(type)).map((one) => `patient/${one}.rs`);
    const access = accessTo([patients[0]], others.join(' '));
    const number = GENERATED + 4 * members.indexOf(type);
    const documents = [
      ...pathsTo(type, askers[0]).map((query) => ({ query, variables: {} })),
      // What a resource contains is seen with it.
      ...generated(schema, askers[0], [number, number + 4]).filter(({ query }) => !/contained/.test(query)),
    ];
    const codes = new Set<unknown>();
    for (const { query, variables } of documents) {
      const { data, errors } = await servers.compiled({ query, variables, access, tenant: tenants[0] });
      for (const { extensions } of errors) codes.add(extensions?.['code']);
      // Of a patient whom the scopes do not cover there is the id.
      const value = type === 'Patient' ? patients[0].name : `:"${type}"`;
      expect([query, data.includes(value)]).toEqual([query, false]);
    }
    expect(codes).toContain('insufficient_scope');
  });

  test('two patients at once: each answer is as it is alone, with nothing of the other patient', async () => {
    const random = new Random(1);
    const documents = askers.map((asker) =>
      [...written(asker), ...generated(schema, asker, [0, 100])].filter(({ caller }) =>
        ['patient', 'few scopes', 'images only'].includes(caller),
      ),
    );
    const alone = new Map<CorpusDocument, Promise<Answered>>();
    for (const number of [0, 1] as const)
      for (const document of documents[number]!)
        alone.set(document, Promise.resolve(await servers.compiled(asked(document, number))));
    let left = REQUESTS;
    const oneAfterTheOther = async (): Promise<void> => {
      while (left-- > 0) {
        const number = random.of([0, 1] as const);
        const document = random.of(documents[number]!);
        const answer = await servers.compiled(asked(document, number));
        expect(comparable(answer), document.query).toEqual(comparable((await alone.get(document))!));
        const text = JSON.stringify(answer);
        const request = JSON.stringify(document);
        const other = patients[1 - number]!;
        const seen = [...ownIds(other), other.id, other.mrn, other.name].filter((one) => text.includes(one));
        expect(
          seen.filter((one) => !request.includes(one)),
          document.query,
        ).toEqual([]);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, oneAfterTheOther));
  }, 600_000);
});

/**
 * Returns what must be the same. The order of errors may differ.
 * @param wrong what stock does wrong, which is then not compared
 */
function comparable({ data, errors, recorded }: Answered, wrong?: Wrong): object {
  const written = errors.map(({ path, ...error }) =>
    JSON.stringify([wrong === 'positions' ? path?.filter((part) => typeof part === 'string') : path, error]),
  );
  const codes = [...new Set(errors.map(({ extensions }) => extensions?.['code']))];
  const values: unknown = wrong === 'order' ? JSON.parse(data) : data;
  const compared = wrong === 'hidden' ? codes : written;
  return { data: values, errors: compared.sort(), ...(wrong !== 'audit' && { recorded }) };
}
