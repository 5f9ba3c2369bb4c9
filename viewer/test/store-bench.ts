/** A frame store with a source and a clock that the test moves. */
import type { FrameBytes, ImageSource } from '../src/data/source.ts';
import type { Stack } from '../src/domain/series/stacks.ts';
import { FrameStore, type FrameStoreOptions } from '../src/pixels/frame-store.ts';

export const AT = { dicomweb: 'https://images.example.org/dicomweb' };
export const EXPLICIT = '1.2.840.10008.1.2.1';
/** Compressed. */
export const JPEG = '1.2.840.10008.1.2.4.50';

/** A stack of frames of four bytes, `f0`, `f1`, … */
export function stackOf(count: number, name = 'f'): Stack {
  const frames = Array.from({ length: count }, (_, at) => ({
    id: `${name}${at}`,
    name: { study: '1', series: '2', instance: `${name}${at}`, frame: 1 },
    metadata: {},
    bytes: 4,
  }));
  return { key: name, frames };
}

/** A source whose answers the test gives, and a clock that the test moves. */
export function bench(stack = stackOf(20), options: FrameStoreOptions = {}) {
  const asked: string[] = [];
  const open = new Map<string, PromiseWithResolvers<FrameBytes>>();
  const timers = new Set<{ at: number; run: () => void }>();
  let now = 0;
  let online = () => undefined as void;
  const source = {
    frame(_at: unknown, { instance }: { instance: string }, signal: AbortSignal) {
      asked.push(instance);
      const answer = withResolvers<FrameBytes>();
      open.set(instance, answer);
      signal.addEventListener('abort', () => {
        open.delete(instance);
        answer.reject(signal.reason as Error);
      });
      return answer.promise;
    },
  } as unknown as ImageSource;
  const clock = {
    now: () => now,
    after(delay: number, run: () => void) {
      const timer = { at: now + delay, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  };
  const store = new FrameStore(source, {
    maxRequests: 3,
    clock,
    online: (listener) => ((online = listener), () => undefined),
    ...options,
  });
  const remove = store.add(stack, AT);
  const settle = async (id: string, act: (answer: PromiseWithResolvers<FrameBytes>) => void) => {
    act(open.get(id)!);
    open.delete(id);
    await tick();
  };
  return {
    store,
    stack,
    remove,
    asked,
    loading: () => [...open.keys()].join(' '),
    aim: (index: number) => store.aim('view' as unknown as object, { stack, index }),
    give: (id: string, length = 4, transferSyntax = EXPLICIT) =>
      settle(id, ({ resolve }) => resolve({ bytes: new Uint8Array(length), transferSyntax })),
    fail: (id: string, trouble: Error) => settle(id, ({ reject }) => reject(trouble)),
    pass(milliseconds: number) {
      now += milliseconds;
      for (const timer of [...timers]) {
        if (timer.at > now) continue;
        timers.delete(timer);
        timer.run();
      }
    },
    goOnline: () => online(),
  };
}
/** Lets all that is settled go on. */
export const tick = () => new Promise((resolve) => setTimeout(resolve));
function withResolvers<Value>(): PromiseWithResolvers<Value> {
  let resolve!: PromiseWithResolvers<Value>['resolve'];
  let reject!: PromiseWithResolvers<Value>['reject'];
  const promise = new Promise<Value>((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}
interface PromiseWithResolvers<Value> {
  promise: Promise<Value>;
  resolve(value: Value): void;
  reject(reason: unknown): void;
}
