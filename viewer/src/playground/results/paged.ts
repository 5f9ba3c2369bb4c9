/** Lists of an answer that are a page of a longer one, and queries whose rows can be read to the end. */
import {
  getOperationAST,
  Kind,
  parse,
  print,
  valueFromASTUntyped,
  visit,
  type ArgumentNode,
  type DocumentNode,
  type FieldNode,
  type SelectionSetNode,
} from 'graphql';
import type { Answer, Asked } from '../answer.ts';
import type { ResultList } from './lists.ts';

/** A list that is not known to be whole. */
export interface Cut {
  /** Rows of all pages; undefined where the answer does not say it. */
  total: number | undefined;
  /** True if there are other rows; false if as many came as were asked for, which may be all. */
  isCertain: boolean;
  /** True if it begins with the first row. */
  isFirst: boolean;
}

type Node = Readonly<Record<string, unknown>>;
const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fields with the rows of a page: `next` and `count` beside them are about these. */
const PAGES = ['edges', 'entries'];
const CONNECTION = /Connection$/;

/** Returns how a list is cut; undefined if it is whole, or nothing says that it is not. */
export function cutOf(
  { asked, json, isCut }: Pick<Answer, 'asked' | 'json' | 'isCut'>,
  { steps }: ResultList,
): Cut | undefined {
  if (isCut && steps.length === 1) return { total: undefined, isCertain: true, isFirst: true };
  const names = steps.map(({ field }) => field);
  const last = names.at(-1);
  if (last === undefined) return undefined;
  const fields = fieldsOf(operationOf(asked.query, asked.operationName), names);
  const name = fields.at(-1)?.name.value ?? last;
  const isPage = PAGES.includes(name);
  const field = isPage ? fields.at(-2) : fields.at(-1);
  const given = (argument: string) => argumentOf(field, argument, asked);
  const [count, isFirst] = [given('_count'), !given('_cursor') && !given('_offset')];
  const cuts = holdersOf(json?.data, names).flatMap((holder): Cut[] => {
    const list = holder[last];
    if (!Array.isArray(list)) return [];
    const more = isPage || isBundle(holder) ? moreOf(holder, list.length, isFirst) : undefined;
    if (more) return [{ ...more, isFirst }];
    const isFull = more === undefined && name !== 'facets' && list.length > 0 && list.length === count;
    return isFull ? [{ total: undefined, isCertain: false, isFirst }] : [];
  });
  if (cuts.length < 2) return cuts[0];
  // The totals of several lists are not one.
  return { total: undefined, isCertain: cuts.some(({ isCertain }) => isCertain), isFirst };
}

/** Returns true if the server sends all rows of a query as a stream (FG-29): the rows of one connection and nothing else. */
export function isStreamed({ query, operationName }: Pick<Asked, 'query' | 'operationName'>): boolean {
  const { document, selections } = operationOf(query, operationName);
  const only = (set: SelectionSetNode | undefined, name?: string): FieldNode | undefined => {
    const isWanted = (one: SelectionSetNode['selections'][number]) =>
      name === undefined || (one.kind === Kind.FIELD && one.name.value === name);
    const [found, ...others] = set?.selections.filter(isWanted) ?? [];
    return found?.kind === Kind.FIELD && others.length === 0 ? found : undefined;
  };
  const root = only(selections);
  const connection = root?.name.value === 'Patient' ? only(root.selectionSet) : root;
  const row = only(only(connection?.selectionSet, 'edges')?.selectionSet, 'resource');
  if (!document || !row || !CONNECTION.test(connection!.name.value)) return false;
  let isNested = false;
  const Field = ({ name }: FieldNode) => void (isNested ||= CONNECTION.test(name.value));
  const fragments = document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  for (const part of [row, ...fragments]) visit(part, { Field });
  return !isNested;
}

/** The alias by which a page is asked for the cursor of the next one. */
const NEXT = '_next';

/**
 * Returns the query of a page of a list that says where the next one begins; undefined for a list whose pages cannot be
 * followed: one within another list, or of a field without pages.
 * @param cursor of the page; undefined: the query begins where it did
 */
export function pageQuery(asked: Asked, { steps }: ResultList, cursor?: string): Asked | undefined {
  const operation = operationOf(asked.query, asked.operationName);
  const way = fieldsOf(
    operation,
    steps.map(({ field }) => field),
  );
  const field = way.at(-2);
  if (!field || !isPlain(steps) || !PAGES.includes(way.at(-1)!.name.value)) return undefined;
  const variables = { ...asked.variables };
  const given = field.arguments?.find(({ name }) => name.value === '_cursor');
  const isVariable = given?.value.kind === Kind.VARIABLE;
  if (cursor !== undefined && given?.value.kind === Kind.VARIABLE) variables[given.value.name.value] = cursor;
  const others = field.arguments?.filter((one) => one !== given || cursor === undefined || isVariable) ?? [];
  const paged: FieldNode = {
    ...field,
    arguments: cursor === undefined || isVariable ? others : [...others, cursorArgument(cursor)],
    selectionSet: {
      ...field.selectionSet!,
      selections: [...field.selectionSet!.selections, aliased('next', NEXT)],
    },
  };
  const replace = (node: FieldNode) => (node === field ? paged : undefined);
  return { ...asked, variables, query: print(visit(operation.document!, { Field: { leave: replace } })) };
}

/** Returns the cursor that `pageQuery` asked for, and takes it out of the answer; undefined on the last page. */
export function takeNext(data: unknown, { steps }: ResultList): string | undefined {
  const names = steps.map(({ field }) => field);
  const holder = holdersOf(data, names)[0] as Record<string, unknown> | undefined;
  const next = holder?.[NEXT];
  if (holder) delete holder[NEXT];
  return typeof next === 'string' ? next : undefined;
}

/** Returns the address of the next page of a Bundle that was read by REST; undefined without one. */
export function nextPage({ json }: Pick<Answer, 'json'>, list: ResultList): string | undefined {
  const holder = holdersOf(
    json?.data,
    list.steps.map(({ field }) => field),
  )[0];
  if (!holder || !isPlain(list.steps) || list.steps.at(-1)?.field !== 'entry' || !isBundle(holder))
    return undefined;
  const link = nextOf(holder['link']);
  return isNode(link) && typeof link['url'] === 'string' ? link['url'] : undefined;
}

/** Returns true if all rows of a list can be read: as a stream, or page by page. */
export function canReadAll(answer: Pick<Answer, 'asked' | 'json' | 'isCut'>, list: ResultList): boolean {
  return (
    !!answer.isCut ||
    isStreamed(answer.asked) ||
    !!pageQuery(answer.asked, list) ||
    nextPage(answer, list) !== undefined
  );
}

/** True for a list that is within no other one. */
const isPlain = (steps: ResultList['steps']) => steps.slice(0, -1).every(({ isList }) => !isList);

const nameNode = (value: string) => ({ kind: Kind.NAME, value }) as const;

function cursorArgument(cursor: string): ArgumentNode {
  return { kind: Kind.ARGUMENT, name: nameNode('_cursor'), value: { kind: Kind.STRING, value: cursor } };
}

function aliased(name: string, alias: string): FieldNode {
  return { kind: Kind.FIELD, name: nameNode(name), alias: nameNode(alias) };
}

/** Returns the objects that hold a list. */
function holdersOf(data: unknown, names: readonly string[]): Node[] {
  const inner = (values: readonly unknown[]) => values.flat(Infinity).filter(isNode);
  return names.slice(0, -1).reduce((nodes, name) => inner(nodes.map((node) => node[name])), inner([data]));
}

const isBundle = ({ resourceType }: Node) => resourceType === 'Bundle';

/** Returns what a page says of the others: null if there is none; undefined if it says nothing. */
function moreOf(page: Node, length: number, isFirst: boolean): Omit<Cut, 'isFirst'> | null | undefined {
  const { link, next = isBundle(page) ? nextOf(link) : undefined } = page;
  const total = [page['count'], page['total']].find((value) => typeof value === 'number');
  const isCertain = next === undefined ? total !== undefined && isFirst && total > length : next !== null;
  if (isCertain) return { total, isCertain };
  return next === undefined && !(isFirst && total !== undefined) ? undefined : null;
}

/** Returns the link to the next page of a Bundle; null without one. */
function nextOf(link: unknown): unknown {
  return [link].flat().find((one) => isNode(one) && one['relation'] === 'next') ?? null;
}

interface Operation {
  document?: DocumentNode;
  selections?: SelectionSetNode | undefined;
}

function operationOf(query: string, operationName: string | undefined): Operation {
  try {
    const document = parse(query);
    return { document, selections: getOperationAST(document, operationName)?.selectionSet };
  } catch {
    // A request by REST, or a text that is not finished.
    return {};
  }
}

/** Returns the fields of a query on the way to a list, by the names of the answer; none where there is no such way. */
function fieldsOf({ document, selections }: Operation, names: readonly string[]): FieldNode[] {
  const inSet = (set: SelectionSetNode | undefined, name: string): FieldNode[] =>
    (set?.selections ?? []).flatMap((one): FieldNode[] => {
      if (one.kind === Kind.FIELD) return (one.alias ?? one.name).value === name ? [one] : [];
      if (one.kind === Kind.INLINE_FRAGMENT) return inSet(one.selectionSet, name);
      const fragment = document?.definitions.find(
        (part) => part.kind === Kind.FRAGMENT_DEFINITION && part.name.value === one.name.value,
      );
      return fragment?.kind === Kind.FRAGMENT_DEFINITION ? inSet(fragment.selectionSet, name) : [];
    });
  let sets = [selections];
  const way: FieldNode[] = [];
  for (const name of names) {
    const found = sets.flatMap((set) => inSet(set, name));
    if (!found[0]) return [];
    way.push(found[0]);
    sets = found.map(({ selectionSet }) => selectionSet);
  }
  return way;
}

function argumentOf(field: FieldNode | undefined, name: string, { variables }: Asked): unknown {
  const argument = field?.arguments?.find((one) => one.name.value === name);
  return argument && valueFromASTUntyped(argument.value, variables as Record<string, unknown>);
}
