import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import dimse, { type association } from 'dcmjs-dimse';
import { Fault } from '../../../../../schema/fault/fault.ts';
import type { RenewedTls, TlsMaterial } from '../../../../../schema/outbound/tls.ts';
import { Connection, Refused } from './connection.ts';
import type { StoreRequest, StoreSink } from './messages.ts';
import { acceptStorage } from './presentation-contexts.ts';
import type { Refusals } from '../refusals.ts';
import type { Retrieval } from '../shared-retrieval.ts';
import type { Senders } from './senders.ts';
import { refusedObject, SUCCESS } from '../spool.ts';

const { CalledAeNotRecognized, CallingAeNotRecognized } = dimse.constants.RejectReason;

/** Milliseconds without a message on an association. Retrievals have their own timeout. */
const SILENCE = 120_000;
/** Milliseconds to associate, for a peer that is expected to send objects, and for any other. */
const ASSOCIATION_TIMEOUT = { awaited: 10_000, other: 1000 };
/** Milliseconds for which an association may stay after the last C-MOVE with its called AE title. */
const PARTING = 10_000;
/** Number of connections, in all and from one address: more than the archives of a hospital, or one of them, open. */
const MAX_CONNECTIONS = 64;
const MAX_OF_ADDRESS = 32;

interface Expected {
  ae: string;
  /** Message ID of the C-MOVE, which archives repeat with each object, PS3.7 §9.1.1.1.8. */
  messageId: number;
  /** Application entities that may send for it. */
  senders: Senders;
  retrieval: Retrieval;
  /** Called when an object arrived, because it shows that the archive is alive. */
  alive: () => void;
  /** For the log. */
  tenant?: string | undefined;
}

/** An incoming connection. */
interface Peer {
  address: string;
  connection: Connection;
  /** Called and calling AE title; empty before it associates. */
  called: string;
  calling: string;
}

export interface StoreScpOptions {
  port: number;
  host: string;
  refusals: Refusals;
  /** Certificates; without them it does not speak TLS. */
  tls?: RenewedTls | undefined;
}

/**
 * The C-STORE SCP of the gateway, the destination of C-MOVEs (DW-16). It listens from the first C-MOVE on. It accepts
 * associations only with a called AE title that has a running move, and from the archive of that move. It accepts only
 * objects that name one of these moves and were requested by it (DW-26).
 */
export class StoreScp {
  readonly #options: StoreScpOptions;
  readonly #expected = new Set<Expected>();
  /** Connections, the oldest first. */
  readonly #peers = new Set<Peer>();
  #listening: Promise<Server> | undefined;
  /** Sockets below TLS, those whose handshake goes on too. */
  readonly #belowTls = new Set<Socket>();
  #tls: { server: TlsServer; material: TlsMaterial } | undefined;

  constructor(options: StoreScpOptions) {
    this.#options = options;
  }

  /**
   * Expects the objects of a retrieval until the returned function is called.
   * @throws Fault `internal` when the port cannot be opened
   */
  async expect(expected: Expected): Promise<() => void> {
    this.#listening ??= this.#listen();
    try {
      await this.#listening;
    } catch (cause) {
      this.#listening = undefined;
      throw new Fault('internal', 'Images cannot be received: the port DIMSE_PORT cannot be opened.', {
        service: 'imaging',
        cause,
      });
    }
    this.#expected.add(expected);
    return () => this.#forget(expected);
  }

  async close(): Promise<void> {
    const server = await this.#listening?.catch(() => undefined);
    for (const { connection } of this.#peers) connection.socket.destroy();
    for (const socket of this.#belowTls) socket.destroy();
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  #listen(): Promise<Server> {
    const { tls } = this.#options;
    const server = createServer((socket) => (tls ? this.#handshake(socket, tls) : this.#connected(socket)));
    return new Promise((resolve, reject) => {
      // Errors of connections that cannot be accepted must not end the process.
      server.on('error', reject);
      const { port, host } = this.#options;
      server.listen(port, host, () => resolve(server.unref()));
    });
  }

  /** Passes a socket through TLS (PS3.15 Annex B): only one from an address of an expected sender, as it costs more. */
  #handshake(socket: Socket, tls: RenewedTls): void {
    const address = addressOf(socket);
    const isFull = this.#belowTls.size >= 2 * MAX_CONNECTIONS;
    if (isFull || !this.#awaits(address)) {
      this.#options.refusals.add(isFull ? 'connections' : 'address', { address });
      return void socket.destroy();
    }
    this.#belowTls.add(socket);
    socket.once('close', () => this.#belowTls.delete(socket));
    this.#tlsServer(tls.current()).emit('connection', socket);
  }

  /** Returns the server that makes the handshakes; it listens at no port. */
  #tlsServer(material: TlsMaterial): TlsServer {
    if (!this.#tls) {
      const isAsked = material.ca !== undefined;
      const server = createTlsServer(
        {
          ...material,
          requestCert: isAsked,
          rejectUnauthorized: isAsked,
          handshakeTimeout: ASSOCIATION_TIMEOUT.awaited,
        },
        (socket) => this.#connected(socket),
      );
      server.on('tlsClientError', ({ code }: NodeJS.ErrnoException, socket) =>
        this.#options.refusals.add('TLS', { address: addressOf(socket), code }),
      );
      this.#tls = { server, material };
    } else if (material !== this.#tls.material) {
      this.#tls.server.setSecureContext(material);
      this.#tls.material = material;
    }
    return this.#tls.server;
  }

  #awaits(address: string): boolean {
    return [...this.#expected].some(({ senders }) => senders.includes(address));
  }

  #connected(socket: Socket): void {
    const address = addressOf(socket);
    if (!this.#hasRoom(address)) {
      this.#options.refusals.add('connections', { address });
      socket.destroy();
      return;
    }
    const awaited = this.#awaits(address);
    const connection = new Connection(socket, {
      associationTimeout: awaited ? ASSOCIATION_TIMEOUT.awaited : ASSOCIATION_TIMEOUT.other,
      silence: SILENCE,
      accept: (association: association.Association) => this.#accept(peer, association),
      store: (request) => this.#store(peer, request),
    });
    const peer: Peer = { address, connection, called: '', calling: '' };
    this.#peers.add(peer);
    socket.once('close', () => this.#peers.delete(peer));
  }

  /** Tells whether there is room for a connection. If not, closes the oldest one that has not associated. */
  #hasRoom(address: string): boolean {
    const all = [...this.#peers];
    const own = all.filter((peer) => peer.address === address);
    const crowd = own.length >= MAX_OF_ADDRESS ? own : all.length >= MAX_CONNECTIONS ? all : undefined;
    if (!crowd) return true;
    const oldest = crowd.find(({ connection }) => !connection.associated);
    if (!oldest) return false;
    this.#end(oldest);
    return true;
  }

  #end(peer: Peer): void {
    this.#peers.delete(peer);
    peer.connection.giveUp();
  }

  /** @throws Refused for a title or a peer without a running move */
  #accept(peer: Peer, association: association.Association): void {
    const { address } = peer;
    const called = association.getCalledAeTitle();
    const calling = association.getCallingAeTitle();
    const expected = this.#of(called);
    if (expected.length === 0)
      throw this.#refused('called AE title', CalledAeNotRecognized, { address, called });
    if (!expected.some(({ senders }) => senders.includes(address, calling))) {
      const details = { tenant: tenantsOf(expected), address, calling };
      throw this.#refused('calling AE title or address', CallingAeNotRecognized, details);
    }
    acceptStorage(association);
    Object.assign(peer, { called, calling });
  }

  #refused(what: string, reason: number, details: object): Refused {
    this.#options.refusals.add(what, details);
    return new Refused(reason);
  }

  #of(ae: string): Expected[] {
    return [...this.#expected].filter((expected) => expected.ae === ae);
  }

  /** Ends a move, and closes connections without another one. */
  #forget(expected: Expected): void {
    this.#expected.delete(expected);
    if (this.#expected.size === 0) {
      for (const peer of this.#peers) if (!peer.connection.associated) this.#end(peer);
    }
    const dismiss = (): void => {
      for (const peer of this.#peers) {
        if (peer.connection.associated && this.#of(peer.called).length === 0) this.#end(peer);
      }
    };
    setTimeout(dismiss, PARTING).unref();
  }

  #store({ address, called, calling }: Peer, request: StoreRequest): StoreSink {
    const expected = this.#of(called).find(
      ({ ae, messageId, senders }) =>
        // PS3.7 §9.1.1.1.7: the requesting AE title, and its C-MOVE.
        request.moveOriginator === ae &&
        request.moveMessageId === messageId &&
        senders.includes(address, calling),
    );
    if (!expected) {
      const tenant = tenantsOf(this.#of(called));
      this.#options.refusals.add('move originator', { tenant, address, calling });
      return refusedObject;
    }
    const { retrieval, alive } = expected;
    const spool = retrieval.spool(request);
    return {
      write: (fragment) => {
        // Some archives continue an object after its move was aborted. This ends the association.
        if (!this.#expected.has(expected)) throw new Error('nobody waits for this object');
        return spool.write(fragment);
      },
      async end() {
        const status = await spool.end();
        if (status === SUCCESS) alive();
        return status;
      },
      abort: () => spool.abort(),
    };
  }
}

/** Names the tenants of running moves. */
const tenantsOf = (expected: readonly Expected[]) =>
  [...new Set(expected.flatMap(({ tenant = [] }) => tenant))].join(', ');

/** Returns the address of a peer, without the prefix of IPv4 on a dual-stack socket (RFC 4291 §2.5.5.2). */
const addressOf = (socket: Socket) => (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
