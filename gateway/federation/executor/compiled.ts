import type { GraphQLFieldResolver, GraphQLObjectType, GraphQLResolveInfo } from 'graphql';
import type { ServiceName } from '../request/service-name.ts';
import type { KeptTexts } from './kept-texts.ts';
import type { Place, ResolvedField } from './run.ts';

/** JSON text of a part of an answer, at once where everything is at hand. */
export type Text = string | Promise<string>;
export type Resolver = GraphQLFieldResolver<unknown, object>;
/** Writes a value. @throws any error: the field around it becomes null */
export type Write = (value: unknown, place: Place) => Text;

/** A field of a selection. */
export interface CompiledField extends ResolvedField {
  /** Name in the answer. */
  name: string;
  /** The name as JSON, with its colon. */
  key: string;
  /** Undefined: the property of the field's name. */
  resolve: Resolver | undefined;
  /** Undefined: the field is resolved from the object around it. */
  crossing: Crossing | undefined;
  write: Write;
  /** Of an object, its selection; of a union, one for each of its types. */
  selections: readonly CompiledSelection[];
  /** Returns the selection of an object, or of an item of a list of objects. @throws GraphQLError */
  selectionOf: (value: unknown, place: Place) => CompiledSelection;
  isNonNull: boolean;
  /** True for a field that the caller's scopes do not cover. */
  isRefused: boolean;
  /** True if the text of a list depends on nothing but the list, and not on an object around it that is kept. */
  keepsList: boolean;
  /** True for scalars and enums: their values need no place. */
  isLeaf: boolean;
}

/** The step from an object of one subgraph to the same entity in the other. All fields behind it share its result. */
export interface Crossing {
  type: string;
  /** The subgraph that has the required fields. */
  from: ServiceName;
  /** The subgraph that the step leads to. */
  service: ServiceName;
  /** The step before this one, from whose entity the required fields are taken; undefined: from the object itself. */
  via: Crossing | undefined;
  /** Fields of the subgraph around it that the other needs (`@requires`). */
  required: readonly { name: string; resolve: Resolver | undefined }[];
  /** Returns the key of an object. */
  keyOf: (source: object) => unknown;
  /** Undefined: the other subgraph resolves the fields from the key and the required fields alone. */
  resolveReference: ((reference: object, context: object, info: GraphQLResolveInfo) => unknown) | undefined;
}

/** The selection of an object type. */
export interface CompiledSelection {
  type: GraphQLObjectType;
  fields: readonly (CompiledField | TypeName)[];
  /** Parts that come later (`@defer`); empty where the caller wants all at once. */
  deferred: readonly DeferredFragment[];
  /** True when the text of an object depends on nothing but the object. */
  isPure: boolean;
  /** Texts of objects that never change. Undefined: they are not kept, or with the objects around them. */
  kept: KeptTexts | undefined;
}

/** A fragment of an object that comes later. */
export interface DeferredFragment {
  label: string | undefined;
  selection: CompiledSelection;
}

/** `__typename`, which is known. */
export interface TypeName {
  name: string;
  key: string;
  /** As JSON. */
  text: string;
}

/** A selection on both subgraphs as functions: made once for an operation, used for each request. */
export interface CompiledOperation {
  root: CompiledSelection;
  /** The subgraphs whose resolvers it calls. */
  services: ReadonlySet<ServiceName>;
  /** Named fragments of its document, of which resolvers are told. */
  fragments: GraphQLResolveInfo['fragments'];
  /** Number of fields, by which its memory is measured. */
  fields: number;
  /** The writer of the rows that are taken out of the answer. */
  rows?: RowWriter;
}

/** Writes rows of one selection. */
export interface RowWriter {
  /** Text before the first row. */
  head: string;
  /** Writes a row without what separates it from the next one. */
  write: (row: object, place: Place) => Text;
}
