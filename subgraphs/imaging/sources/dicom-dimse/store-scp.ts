import { createServer, type Server, type Socket } from 'node:net';
import dimse, { type association } from 'dcmjs-dimse';
import { Fault } from '../../../../schema/fault.ts';
import { Connection, Refused } from './connection.ts';
import type { StoreRequest, StoreSink } from './messages.ts';
import { acceptStorage } from './presentation-contexts.ts';
import type { Retrieval } from './retrieval.ts';
import { NOT_AUTHORIZED, Spool } from './spool.ts';

const { CalledAeNotRecognized } = dimse.constants.RejectReason;

/** Milliseconds that a peer may keep an association without a word; retrievals have their own patience. */
const SILENCE = 120_000;
const ASSOCIATION_TIMEOUT = 10_000;
/** More connections at once than the archives of a hospital open. */
const MAX_CONNECTIONS = 64;

interface Expected {
  ae: string;
  /** Message ID of the C-MOVE, which archives repeat with each object, PS3.7 §9.1.1.1.8. */
  messageId: number;
  retrieval: Retrieval;
  /** Something came for it: the archive is alive. */
  alive: () => void;
}

/**
 * Our C-STORE SCP, the destination of C-MOVEs (DW-16). It listens from the first C-MOVE on. Associations are accepted
 * only under an application entity title for which a move is under way, and of what comes only objects that one of
 * these moves asked for: to all others nobody is here.
 */
export class StoreScp {
  readonly #port: number;
  readonly #host: string;
  readonly #incoming: string;
  readonly #expected = new Set<Expected>();
  readonly #sockets = new Set<Socket>();
  #listening: Promise<Server> | undefined;

  /** @param incoming directory for objects whose move is not known yet */
  constructor(port: number, host: string, incoming: string) {
    this.#port = port;
    this.#host = host;
    this.#incoming = incoming;
  }

  /**
   * Expects the objects of a retrieval until the function that it gives is called.
   * @throws Fault `internal` where the port cannot be had
   */
  async expect(expected: Expected): Promise<() => void> {
    this.#listening ??= this.#listen();
    try {
      await this.#listening;
    } catch (cause) {
      this.#listening = undefined;
      throw new Fault(
        'internal',
        'Images cannot be received: the port for them (DIMSE_PORT) cannot be had.',
        {
          service: 'imaging',
          cause,
        },
      );
    }
    this.#expected.add(expected);
    return () => this.#expected.delete(expected);
  }

  async close(): Promise<void> {
    const server = await this.#listening?.catch(() => undefined);
    for (const socket of this.#sockets) socket.destroy();
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  #listen(): Promise<Server> {
    const server = createServer((socket) => this.#connected(socket));
    server.maxConnections = MAX_CONNECTIONS;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, this.#host, () => resolve(server.unref()));
    });
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    let ae = '';
    new Connection(socket, {
      associationTimeout: ASSOCIATION_TIMEOUT,
      silence: SILENCE,
      accept: (association: association.Association) => {
        ae = association.getCalledAeTitle();
        if (this.#of(ae).length === 0) throw new Refused(CalledAeNotRecognized);
        acceptStorage(association);
      },
      store: (request) => this.#store(ae, request),
    });
  }

  #of(ae: string): Expected[] {
    return [...this.#expected].filter((expected) => expected.ae === ae);
  }

  #store(ae: string, request: StoreRequest): StoreSink {
    const own = this.#of(ae);
    const named = own.filter(({ messageId }) => messageId === request.moveMessageId);
    const expected = named.length > 0 ? named : own;
    // Others than our moves may know our title.
    if (expected.length === 0 || (request.moveOriginator ?? ae) !== ae) return refused;
    const spool = new Spool(this.#incoming, request, {
      async take(instance) {
        for (const { retrieval, alive } of expected) {
          if (!(await retrieval.take(instance))) continue;
          alive();
          return true;
        }
        return false;
      },
      // What is not read yet may be any's; on a full disk all of them fail.
      failed: (cause) => expected.forEach(({ retrieval }) => retrieval.broken(cause)),
    });
    return {
      write: (fragment) => {
        // Not every archive ends an object whose move is given up: the association is ended then.
        if (!expected.some((one) => this.#expected.has(one))) throw new Error('nobody waits for this object');
        return spool.write(fragment);
      },
      end: () => spool.end(),
      abort: () => spool.abort(),
    };
  }
}

/** Takes nothing, and says so. */
const refused: StoreSink = {
  write: () => undefined,
  end: () => Promise.resolve(NOT_AUTHORIZED),
  abort: () => undefined,
};
