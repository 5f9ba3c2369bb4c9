import type { GraphQLResolveInfo } from 'graphql';
import { GraphQLError } from 'graphql';
import type { CompiledField, CompiledSelection, Crossing, Text, Write } from './compiled.ts';
import { within, type Place } from './run.ts';

/** Writes an object with the fields of its selection. All resolvers are called before the first promise is awaited. */
export function objectText({ fields }: CompiledSelection, source: object, place: Place): Text {
  let text = '{';
  /** Parts of the text up to and with the last promise. */
  let parts: Text[] | undefined;
  let entities: Map<Crossing, Promise<unknown>> | undefined;
  for (const field of fields) {
    if (text.length > 1 || parts) text += ',';
    if (!('nodes' in field)) {
      text += field.text;
      continue;
    }
    text += field.key;
    const written = field.crossing
      ? behindStep(field, source, { place, entities: (entities ??= new Map()) })
      : fieldText(field, source, place);
    if (typeof written === 'string') text += written;
    else {
      (parts ??= []).push(text, written);
      text = '';
    }
  }
  text += '}';
  if (!parts) return text;
  parts.push(text);
  return Promise.all(parts).then((texts) => texts.join(''));
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
    const value = resolve
      ? resolve(source, run.argumentsOf(field), run.context, run.infoOf(field, place))
      : propertyOf(field, source, place);
    const text =
      value instanceof Promise
        ? run.whenGiven(field.service, value, (given) => field.write(given, place))
        : field.write(value, place);
    return typeof text === 'string' ? text : text.catch(failed);
  } catch (error) {
    return failed(error);
  }
}

/** Returns a property; of a method, what it returns for the arguments, as graphql-js does by default. */
function propertyOf(field: CompiledField, source: object, place: Place): unknown {
  const value = (source as Record<string, unknown>)[field.fieldName];
  if (typeof value !== 'function') return value;
  const method = value as (args: object, context: object, info: GraphQLResolveInfo) => unknown;
  const { run } = place;
  return method.call(source, run.argumentsOf(field), run.context, run.infoOf(field, place));
}

/** What the fields of one object share that are behind steps to the other subgraph. */
interface Steps {
  place: Place;
  entities: Map<Crossing, Promise<unknown>>;
}

/** Writes a field of the entity of the other subgraph; null when the entity cannot be read, which is reported once. */
async function behindStep(field: CompiledField, source: object, { place, entities }: Steps): Promise<string> {
  const crossing = field.crossing!;
  let entity = entities.get(crossing);
  if (!entity) entities.set(crossing, (entity = entityOf(field, source, place)));
  const found = await entity;
  if (found) return fieldText(field, found, place);
  if (!field.isNonNull) return 'null';
  return place.run.failed(nullRefused(field), { field, place: placeOf(field, place), isNonNull: true });
}

async function entityOf(field: CompiledField, source: object, place: Place): Promise<unknown> {
  const { type, from, required, resolveReference, service } = field.crossing!;
  const { run } = place;
  const info = run.infoOf(field, place);
  const valueOf = ({ name, resolve }: Crossing['required'][number]) => {
    const value = resolve
      ? resolve(source, {}, run.context, info)
      : (source as Record<string, unknown>)[name];
    return value instanceof Promise ? run.whenGiven(from, value, (given) => given) : value;
  };
  try {
    const values = await Promise.all(required.map(valueOf));
    await run.allGiven(from);
    const reference: Record<string, unknown> = { __typename: type, id: (source as { id?: unknown }).id };
    for (const [index, { name }] of required.entries()) reference[name] = values[index];
    if (!resolveReference) return reference;
    const entity = Promise.resolve(resolveReference(reference, run.context, info));
    return await run.whenGiven(service, entity, (given) => given);
  } catch (error) {
    run.report(error, { field, place, service });
    return undefined;
  }
}

/** Returns the function that writes a list. @param itemIsNonNull an item that fails fails the list */
export function listWriter(write: Write, field: CompiledField, itemIsNonNull: boolean): Write {
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
  return (value, place) => {
    if (!isIterable(value)) {
      const name = `${field.parent.name}.${field.fieldName}`;
      throw new GraphQLError(`Expected Iterable, but did not find one for field "${name}".`);
    }
    let isWaiting = false;
    const texts = Array.from(value, (item, index) => {
      const text = itemText(item, within(place, index));
      isWaiting ||= typeof text !== 'string';
      return text;
    });
    return isWaiting ? Promise.all(texts).then(joined) : joined(texts as string[]);
  };
}

const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.iterator in value;

/** Returns the error for null where the schema does not allow it (GraphQL §6.4.4). */
export function nullRefused({ parent, fieldName }: CompiledField): Error {
  return new Error(`Cannot return null for non-nullable field ${parent.name}.${fieldName}.`);
}
