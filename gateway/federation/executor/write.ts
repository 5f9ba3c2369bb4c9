import type { GraphQLResolveInfo } from 'graphql';
import { GraphQLError } from 'graphql';
import type { CompiledField, CompiledSelection, Crossing, Text, TypeName, Write } from './compiled.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { faultOf } from '../subgraphs/local-data-source.ts';
import type { ServiceName } from '../request/service-name.ts';
import { beginLists, takeList } from './early-lists.ts';
import { KeptTexts, type TextMemory } from './kept-texts.ts';
import { within, type Place, type Run } from './run.ts';

/**
 * Writes an object with the fields of its selection, as JSON. All resolvers are called before the first promise is awaited.
 */
export function objectText(selection: CompiledSelection, source: object, place: Place): Text {
  const { kept } = selection;
  const write = () => membersText(selection, source, place);
  return kept ? keptText(kept, source, { run: place.run, write }) : write();
}

/**
 * Returns the text that is kept with an object or a list, or writes it, and keeps it where nothing of it failed. Of a list
 * that is kept, the objects need not be.
 */
function keptText(kept: KeptTexts, source: object, { run, write }: { run: Run; write: () => Text }): Text {
  const { errors, budget } = run;
  const known = kept.of(source);
  if (known) {
    budget.charge(known.charged);
    return known.text;
  }
  if (run.isKeeping) return write();
  const { length } = errors;
  const { spent } = budget;
  const text = keeping(run, write);
  const isWhole = typeof text === 'string' && errors.length === length && !budget.isExceeded;
  if (isWhole) kept.keep(source, { text, charged: budget.spent - spent });
  return text;
}

function keeping(run: Run, write: () => Text): Text {
  run.isKeeping = true;
  try {
    return write();
  } finally {
    run.isKeeping = false;
  }
}

function membersText({ fields, deferred }: CompiledSelection, source: object, place: Place): Text {
  const parts = new Parts('{');
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index]!;
    if (index > 0) parts.add(',');
    parts.add(field.key);
    parts.add(memberText(field, source, place));
  }
  parts.add('}');
  for (const { label, selection } of deferred) {
    const others = selection.fields.filter(({ name }) => fields.every((one) => one.name !== name));
    const names = new Set(others.map(({ name }) => name));
    place.run.defer({ label, names, place, write: (later) => membersText(selection, source, later) });
  }
  return parts.text();
}

/** Text that is put together while some of it is awaited. */
export class Parts {
  #last: string;
  /** The text up to and with the last promise. */
  #before: Text[] | undefined;

  constructor(begin = '') {
    this.#last = begin;
  }

  add(text: Text): void {
    if (typeof text === 'string') this.#last += text;
    else {
      (this.#before ??= []).push(this.#last, text);
      this.#last = '';
    }
  }

  text(): Text {
    if (!this.#before) return this.#last;
    this.#before.push(this.#last);
    return Promise.all(this.#before).then((texts) => texts.join(''));
  }
}

/** Writes the value of a field of an object as JSON. @param place of the object */
export function memberText(field: CompiledField | TypeName, source: object, place: Place): Text {
  if (!('nodes' in field)) return field.text;
  return field.crossing ? behindStep(field, source, place) : fieldText(field, source, place);
}

/** In place of the place of a leaf, which is made only for an error. */
const placeOf = (field: CompiledField, around: Place): Place => within(around, field.name, field.parent.name);

/** Writes one field of an object. */
function fieldText(field: CompiledField, source: object, around: Place): Text {
  const { resolve, isLeaf, isNonNull } = field;
  const { run } = around;
  // The place of a property is needed only for an error.
  const place = isLeaf && !resolve ? around : placeOf(field, around);
  const failed = (error: unknown): string =>
    run.failed(error, { field, place: place === around ? placeOf(field, around) : place, isNonNull });
  try {
    const value = takeList(field, source, around) ?? valueOf(field, source, place);
    if (!(value instanceof Promise)) {
      const text = field.write(value, place);
      return typeof text === 'string' ? text : text.catch(failed);
    }
    const searches = beginLists(field, place);
    const text = run.whenGiven(field.service, value, (given) => field.write(given, place));
    // An answer is not sent before the audit has its searches.
    return searches ? text.catch((error: unknown) => searches.then(() => failed(error))) : text.catch(failed);
  } catch (error) {
    return failed(error);
  }
}

function valueOf(field: CompiledField, source: object, place: Place): unknown {
  const { run } = place;
  const { resolve } = field;
  return resolve
    ? resolve(source, run.argumentsOf(field), run.context, run.infoOf(field, place))
    : propertyOf(field, source, place);
}

/** Returns a property; of a method, what it returns for the arguments, as graphql-js does by default. */
function propertyOf(field: CompiledField, source: object, place: Place): unknown {
  const value = (source as Record<string, unknown>)[field.fieldName];
  if (typeof value !== 'function') return value;
  const method = value as (args: object, context: object, info: GraphQLResolveInfo) => unknown;
  const { run } = place;
  return method.call(source, run.argumentsOf(field), run.context, run.infoOf(field, place));
}

/** Writes a field of the entity of the other subgraph. When the entity cannot be read, each field of it fails. */
async function behindStep(field: CompiledField, source: object, place: Place): Promise<string> {
  let found: unknown;
  try {
    found = await stepTo(field.crossing!, { field, source, place });
  } catch (error) {
    return place.run.failed(error, { field, place: placeOf(field, place), isNonNull: field.isNonNull });
  }
  return found ? fieldText(field, found, place) : fieldText({ ...field, resolve: undefined }, NOTHING, place);
}

/** It has no property, whatever a client's name for a field is. */
const NOTHING = Object.freeze(Object.create(null) as object);

/** An object, and a field of it that needs an entity of the other subgraph. */
interface Step {
  field: CompiledField;
  source: object;
  place: Place;
}

/** Returns the entity behind a step, which is taken once for an object; undefined when there is none. @throws any error */
function stepTo(crossing: Crossing, step: Step): Promise<unknown> {
  const steps = (step.place.steps ??= new Map<object, Promise<unknown>>());
  let entity = steps.get(crossing);
  if (!entity) steps.set(crossing, (entity = entityOf(crossing, step)));
  return entity;
}

async function entityOf(crossing: Crossing, step: Step): Promise<unknown> {
  const { type, from, required, keyOf, resolveReference, service, via } = crossing;
  const { field, source, place } = step;
  const { run } = place;
  const failed = (name: ServiceName) => (error: unknown) => {
    throw failureOf(name, error);
  };
  const holder = via ? await stepTo(via, step).catch(failed(via.service)) : source;
  if (!holder) return undefined;
  const info = run.infoOf(field, place);
  const valueOf = ({ name, resolve }: Crossing['required'][number]) => {
    const value = resolve
      ? resolve(holder, {}, run.context, info)
      : (holder as Record<string, unknown>)[name];
    return value instanceof Promise ? run.whenGiven(from, value, (given) => given) : value;
  };
  const values = await Promise.all(required.map(valueOf)).catch(failed(from));
  await run.allGiven(from);
  const reference: Record<string, unknown> = { __typename: type, id: keyOf(source) };
  for (const [index, { name }] of required.entries()) reference[name] = values[index];
  if (!resolveReference) return reference;
  const entity = Promise.resolve(resolveReference(reference, run.context, info));
  return run.whenGiven(service, entity, (given) => given);
}

/** Names the subgraph in which a needed field failed: the error is that of another field, of another subgraph. */
function failureOf(service: ServiceName, error: unknown): unknown {
  const fault = faultOf(error);
  if (!fault || fault.details.service) return error;
  return new Fault(fault.code, fault.message, { ...fault.details, service });
}

interface ListOptions {
  field: CompiledField;
  /** An item that fails fails the list. */
  itemIsNonNull: boolean;
  texts: TextMemory;
}

/** Returns the function that writes a list. */
export function listWriter(write: Write, { field, itemIsNonNull, texts }: ListOptions): Write {
  const itemText = (item: unknown, place: Place): Text => {
    const { run } = place;
    const failed = (error: unknown) => run.failed(error, { field, place, isNonNull: itemIsNonNull });
    try {
      const text =
        item instanceof Promise
          ? run.whenGiven(field.service, item, (given) => write(given, place))
          : write(item, place);
      return typeof text === 'string' ? text : text.catch(failed);
    } catch (error) {
      return failed(error);
    }
  };
  const joined = (texts: readonly string[]) => `[${texts.join(',')}]`;
  const listText = (list: readonly unknown[], place: Place): Text => {
    let isWaiting = false;
    const texts = list.map((item, index) => {
      const text = itemText(item, within(place, index));
      isWaiting ||= typeof text !== 'string';
      return text;
    });
    return isWaiting ? Promise.all(texts).then(joined) : joined(texts as string[]);
  };
  const kept = new KeptTexts(texts);
  return (value, place) => {
    if (!isIterable(value)) {
      const name = `${field.parent.name}.${field.fieldName}`;
      throw new GraphQLError(`Expected Iterable, but did not find one for field "${name}".`);
    }
    const list = Array.isArray(value) ? value : [...value];
    const text = () => listText(list, place);
    return field.keepsList && Object.isFrozen(value)
      ? keptText(kept, value, { run: place.run, write: text })
      : text();
  };
}

const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.iterator in value;

/** Returns the function that also writes what is not there, and throws an error that is given as a value. */
export function orNull(write: Write): Write {
  return (value, place) => {
    if (value instanceof Error) throw value;
    return value === undefined || value === null ? 'null' : write(value, place);
  };
}

/** Returns the function that refuses null. */
export function required(write: Write, field: CompiledField): Write {
  const refuseNull = (text: string): string => {
    if (text === 'null') throw nullRefused(field);
    return text;
  };
  return (value, place) => {
    const text = write(value, place);
    return typeof text === 'string' ? refuseNull(text) : text.then(refuseNull);
  };
}

/** Returns the error for null where the schema does not allow it (GraphQL §6.4.4). */
function nullRefused({ parent, fieldName }: CompiledField): Error {
  return new Error(`Cannot return null for non-nullable field ${parent.name}.${fieldName}.`);
}
