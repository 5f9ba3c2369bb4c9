/** Messages between the processes of a gateway that has several. */

/** From a process that answers requests to the supervisor. */
export type ToSupervisor =
  | { type: 'ready' }
  | { type: 'metrics of all wanted'; id: number }
  | { type: 'own metrics'; metrics: OwnMetrics };

/** The metrics of a process, as prom-client takes them to add up those of several. */
export type OwnMetrics = readonly object[];

/** From the supervisor. `others ended`, to the first process: nobody passes requests on any more. */
export type FromSupervisor =
  | { type: 'stop'; signal: NodeJS.Signals }
  | { type: 'others ended' }
  | { type: 'own metrics wanted' }
  | { type: 'metrics of all'; id: number; text: string };

/** The variable with the number of a process, from 1 on. The first has what only one process can have. */
export const NUMBER = 'GATEWAY_PROCESS';
/** The variable with the path of the socket at which the first process serves the others. */
export const SOCKET = 'GATEWAY_FIRST_PROCESS';
