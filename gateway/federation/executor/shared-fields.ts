import { Kind, type FieldNode, type SelectionNode, type SelectionSetNode } from 'graphql';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import type { Fragments } from '../document/fragments.ts';
import { valueText } from '../document/shape.ts';
import type { ServiceName } from '../request/service-name.ts';
import type { CompiledField, Crossing } from './compiled.ts';

/** Bytes of all compiled fields that are kept. */
const KEPT_BYTES = 20_000_000;
/** Bytes that a field takes with its nodes. */
const BYTES_OF_FIELD = 1_000;

/** A compiled field, with what the operation has to know of it. */
export interface SharedField {
  field: CompiledField;
  services: ReadonlySet<ServiceName>;
  /** Number of fields. */
  fields: number;
}

/** In place of a field that was sent once. */
const SENT_ONCE = 'sent once';

/**
 * Compiled fields with a selection that documents have in common: a new document is then compiled in the time that its own
 * fields take, and the texts that are kept with the lists of one serve the others.
 */
export class SharedFields {
  readonly #fields = boundedCache<SharedField | typeof SENT_ONCE>({
    size: KEPT_BYTES,
    sizeOf: (known, key) => 2 * key.length + (known === SENT_ONCE ? 0 : BYTES_OF_FIELD * known.fields),
  });
  /** Steps between the subgraphs: fields of several documents that meet in one selection share one. */
  readonly crossings = new Map<string, Crossing>();

  /** Returns a field that was compiled before, or compiles it. It is kept when it is sent again. */
  of(asked: AskedField, compile: () => SharedField | undefined): SharedField | undefined {
    const text = textOfNodes(asked);
    if (text === undefined) return compile();
    const key = `${asked.from}\n${text}`;
    const known = this.#fields.get(key);
    if (known !== undefined && known !== SENT_ONCE) return known;
    const compiled = compile();
    // Positions would keep all tokens of a document.
    if (compiled && !asked.nodes[0]!.loc) this.#fields.set(key, known ? compiled : SENT_ONCE);
    return compiled;
  }
}

/** A field in a document. */
interface AskedField {
  /** All selections of the field under one name. */
  nodes: readonly FieldNode[];
  fragments: Fragments;
  /** Text of what the compiled field depends on besides: where its object comes from, and what is refused. */
  from: string;
}

/**
 * Returns a text of all selections of a field, with the fragments that they may use.
 * @returns undefined for a field that is not shared: a directive decides what of it is included
 */
function textOfNodes({ nodes, fragments }: AskedField): string | undefined {
  const found = { spreads: false, directives: false };
  let text = nodes.map((node) => textOf(node, found)).join(' ');
  if (found.spreads)
    for (const [name, { typeCondition, selectionSet, directives }] of fragments) {
      found.directives ||= (directives?.length ?? 0) > 0;
      text += `fragment ${name} on ${typeCondition.name.value}${textOfSet(selectionSet, found)}`;
    }
  return found.directives ? undefined : text;
}

/** Parts of a selection that decide if it is shared. */
interface Found {
  spreads: boolean;
  directives: boolean;
}

const textOfSet = ({ selections }: SelectionSetNode, found: Found): string =>
  `{${selections.map((one) => textOf(one, found)).join(' ')}}`;

function textOf(node: SelectionNode, found: Found): string {
  if (node.directives?.length) found.directives = true;
  if (node.kind === Kind.FRAGMENT_SPREAD) {
    found.spreads = true;
    return `...${node.name.value}`;
  }
  const inner = node.selectionSet ? textOfSet(node.selectionSet, found) : '';
  if (node.kind === Kind.INLINE_FRAGMENT) return `...on ${node.typeCondition?.name.value ?? ''}${inner}`;
  const { alias, name, arguments: given } = node;
  const values = given?.length
    ? `(${given.map((one) => `${one.name.value}=${valueText(one.value)}`).join()})`
    : '';
  return `${alias ? `${alias.value}:` : ''}${name.value}${values}${inner}`;
}
