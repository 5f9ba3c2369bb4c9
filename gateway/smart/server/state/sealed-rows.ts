import type { Sealer } from '../../../state/sealed.ts';
import { isUsed, type State } from './state.ts';

/** Rows of one tenant and model. Ids are hashed and values sealed, so that a copy of the state reveals nothing. */
export type SealedRows<T> = ReturnType<typeof sealedRows<T>>;

/** Returns sealed rows in a state. @param now milliseconds since the epoch */
export function sealedRows<T>(
  state: State,
  { tenant, model }: { tenant: string; model: string },
  { seal, open }: Sealer,
  now: () => number,
) {
  const rows = state.model(tenant, model);
  const nameOf = (id: string) => `${tenant} ${model} ${id}`;
  const find = async (id: string): Promise<T | undefined> => {
    const row = await rows.find(id);
    const { sealed } = (row?.extra ?? {}) as { sealed?: string };
    const text = sealed === undefined ? undefined : open(sealed, nameOf(id));
    if (!row || row.consumed || text === undefined) return undefined;
    const { value, until } = JSON.parse(text) as { value: T; until: number };
    return now() / 1000 < until ? value : undefined;
  };
  return {
    find,
    /** Stores a value. @param seconds until it expires */
    async put(id: string, value: T, seconds: number): Promise<void> {
      const text = JSON.stringify({ value, until: now() / 1000 + seconds });
      await rows.upsert(id, { extra: { sealed: seal(text, nameOf(id)) } }, Math.ceil(seconds));
    },
    /** Finds a value for one caller only, however many ask at once. */
    async take(id: string): Promise<T | undefined> {
      const value = await find(id);
      if (value === undefined) return undefined;
      const won = await rows.consume(id).then(
        () => true,
        async (error: unknown) => {
          if (await isUsed(error)) return false;
          throw error;
        },
      );
      return won ? value : undefined;
    },
    drop: async (id: string) => void (await rows.destroy(id)),
  };
}
