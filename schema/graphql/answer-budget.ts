import type {
  GraphQLCompositeType,
  GraphQLFieldResolver,
  GraphQLOutputType,
  GraphQLResolveInfo,
  GraphQLSchema,
  SelectionSetNode,
} from 'graphql';
import {
  defaultFieldResolver,
  getNamedType,
  getNullableType,
  isCompositeType,
  isListType,
  isObjectType,
  Kind,
} from 'graphql';
import { LoopTurns } from '../process/event-loop.ts';
import { Fault } from '../fault/fault.ts';
import { pure, pureIf } from './pure.ts';

/** Fields of lists that are completed in one turn of the event loop: about 20 ms. */
const SLICE = 5000;
/** A list with at most so many fields is completed in the turn of the object around it. */
const FEW = 500;

/**
 * Budget for the fields in the lists of one answer (FG-12). An estimate from the document does not know how long lists
 * are. Here each list is counted when it is known, before its items are completed.
 */
export class AnswerBudget {
  readonly #most: number;
  readonly #turns = new LoopTurns();
  #spent = 0;
  /** Fields of the current slice, and the turn in which the slice is completed; undefined: at once. */
  #slice = 0;
  #turn: Promise<void> | undefined;

  /** @param most fields in all lists of the answer together */
  constructor(most: number) {
    this.#most = most;
  }

  /** Fields of all lists so far. */
  get spent(): number {
    return this.#spent;
  }

  get isExceeded(): boolean {
    return this.#spent > this.#most;
  }

  charge(fields: number): void {
    this.#spent += fields;
  }

  /** Adds fields to a slice. @returns the turn in which they may be completed; undefined: at once */
  turnOf(fields: number): Promise<void> | undefined {
    this.#slice += fields;
    if (this.#slice <= SLICE) return this.#turn;
    this.#slice = fields;
    const turn = this.nextTurn().then(() => {
      if (this.#turn === turn) this.#turn = undefined;
    });
    return (this.#turn = turn);
  }

  /** @throws Fault `too_large` when the lists hold too many fields */
  requireNotExceeded(): void {
    if (this.isExceeded) throw this.refusal();
  }

  /** Returns the fault for too many fields. */
  refusal(): Fault {
    const message = `The answer holds more than ${this.#most} fields: ask for less with _count, or for fewer fields.`;
    return new Fault('too_large', message);
  }

  /** Resolves in a turn of the event loop that no other slice of the answer uses. */
  nextTurn(): Promise<void> {
    return this.#turns.next();
  }
}

/** The part of the GraphQL context that resolvers of charged lists read. Without a budget nothing is charged. */
interface BudgetContext {
  budget?: AnswerBudget;
}

/**
 * Charges every list of objects to the budget of its request. A list costs its length times the fields selected of each
 * item, plus one for the item; lists inside an item are charged separately. Long lists are completed in slices. When the
 * budget is exceeded, further lists are empty, and the executor refuses the answer with `requireNotExceeded`.
 */
export function chargeLists(schema: GraphQLSchema): void {
  const fields = new FieldCounter();
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      if (isObjectList(field.type)) field.resolve = charged(field.resolve ?? property, fields);
    }
  }
}

type Resolver = GraphQLFieldResolver<unknown, BudgetContext>;

const property = pure<Resolver>((...asked) => defaultFieldResolver(...asked) as unknown);

function charged(resolve: Resolver, fields: FieldCounter): Resolver {
  return pureIf(resolve, (source, args, context, info) => {
    const { budget } = context;
    if (!budget) return resolve(source, args, context, info);
    if (budget.isExceeded) return [];
    const charge = (value: unknown): unknown => {
      if (!Array.isArray(value) || value.length === 0) return value;
      const charged = value.length * fields.of(info, 'without lists');
      budget.charge(charged);
      if (budget.isExceeded) return [];
      if (charged <= FEW) return value;
      const fieldsOfItem = fields.of(info, 'with lists');
      const turns = value.map(() => budget.turnOf(fieldsOfItem));
      // The same list where it can be: its text may be kept with it.
      if (turns.every((turn) => turn === undefined)) return value;
      return value.map((item: unknown, index) => {
        const turn = turns[index];
        return turn && !isPromise(item) ? turn.then(() => item) : item;
      });
    };
    const value = resolve(source, args, context, info);
    return isPromise(value) ? value.then(charge) : charge(value);
  });
}

const isPromise = (value: unknown): value is Promise<unknown> => value instanceof Promise;

function isObjectList(type: GraphQLOutputType): boolean {
  return isListType(getNullableType(type)) && isCompositeType(getNamedType(type));
}

/** Whether the lists inside an object count: as if each had one item. */
type Lists = 'with lists' | 'without lists';

/** Counts the fields that a selection takes from one object, and remembers the count by selection. */
class FieldCounter {
  readonly #known = {
    'with lists': new WeakMap<SelectionSetNode, number>(),
    'without lists': new WeakMap<SelectionSetNode, number>(),
  };

  /** Returns the fields of one item of the list that is resolved, plus one for the item. */
  of(info: GraphQLResolveInfo, lists: Lists): number {
    const type = getNamedType(info.returnType) as GraphQLCompositeType;
    return info.fieldNodes.reduce(
      (sum, { selectionSet }) => sum + this.#count(selectionSet, type, { info, lists }),
      1,
    );
  }

  #count(
    set: SelectionSetNode | undefined,
    type: GraphQLCompositeType | undefined,
    asked: { info: Pick<GraphQLResolveInfo, 'fragments' | 'schema'>; lists: Lists },
  ): number {
    if (!set) return 0;
    const { info, lists } = asked;
    const known = this.#known[lists].get(set);
    if (known !== undefined) return known;
    let count = 0;
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        const field = type && 'getFields' in type ? type.getFields()[selection.name.value] : undefined;
        const counts = field && (lists === 'with lists' || !isObjectList(field.type));
        const inner = counts ? getNamedType(field.type) : undefined;
        count += 1 + (isCompositeType(inner) ? this.#count(selection.selectionSet, inner, asked) : 0);
      } else {
        const fragment =
          selection.kind === Kind.FRAGMENT_SPREAD ? info.fragments[selection.name.value] : selection;
        const condition = fragment?.typeCondition && info.schema.getType(fragment.typeCondition.name.value);
        const inner = isCompositeType(condition) ? condition : type;
        count += this.#count(fragment?.selectionSet, inner, asked);
      }
    }
    this.#known[lists].set(set, count);
    return count;
  }
}
