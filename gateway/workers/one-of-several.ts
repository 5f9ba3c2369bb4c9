import type { Registry } from 'prom-client';
import { NUMBER, SOCKET, type FromSupervisor, type ToSupervisor } from './messages.ts';

/** Returns this process as one of several that share the port (WORKERS); undefined for one that is alone. */
export function oneOfSeveral({ [NUMBER]: number, [SOCKET]: socket }: NodeJS.ProcessEnv, registry: Registry) {
  if (!number || !socket || !process.send) return undefined;
  const tell = (message: ToSupervisor) => void process.send?.(message);
  let stop: ((signal: NodeJS.Signals) => void) | undefined;
  let asked = 0;
  const waiting = new Map<number, (text: string) => void>();
  let noOthers = (): void => {};
  const othersEnded = new Promise<void>((resolve) => void (noOthers = resolve));
  process.on('message', (message: FromSupervisor) => {
    if (message.type === 'stop') stop?.(message.signal);
    else if (message.type === 'others ended') noOthers();
    else if (message.type === 'metrics of all') waiting.get(message.id)?.(message.text);
    else void registry.getMetricsAsJSON().then((metrics) => tell({ type: 'own metrics', metrics }));
  });
  return {
    /** From 1 on. */
    number: Number(number),
    /** True for the process that has what only one can have: deliveries by DIMSE, exports, and the state that is in no Redis. */
    isFirst: number === '1',
    /** Path of the socket at which the first process serves the others. */
    socket,
    /** Resolves when no other process passes requests on any more. */
    othersEnded,
    /** Tells the supervisor that this process answers requests. */
    ready: () => tell({ type: 'ready' }),
    /** @param act called when this process is to stop; signals go to the supervisor alone */
    onStop: (act: (signal: NodeJS.Signals) => void) => void (stop = act),
    /** Returns the metrics of all processes together, for Prometheus. */
    metricsOfAll(): Promise<string> {
      const id = ++asked;
      const text = new Promise<string>((resolve) => void waiting.set(id, resolve));
      tell({ type: 'metrics of all wanted', id });
      return text.finally(() => waiting.delete(id));
    },
  };
}
