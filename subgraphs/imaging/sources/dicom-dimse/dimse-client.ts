import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import dimse from 'dcmjs-dimse';
import { number, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Connection, type Answer } from './wire/connection.ts';
import { Command, type StoreRequest, type StoreSink } from './wire/messages.ts';
import { Identifier, type IdentifierKeys } from './identifier.ts';
import { identifyingKeys } from './keys.ts';
import { addService, addStorage } from './wire/presentation-contexts.ts';
import { failure, serviceNotOffered, StatusError } from './wire/status.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import type { CircuitBreaker } from '../../../../schema/outbound/circuit-breaker.ts';
import type { Semaphore } from '../../../../schema/concurrency/semaphore.ts';
import type { RenewedTls } from '../../../../schema/outbound/tls.ts';

const { CEchoRequest, CFindRequest, CGetRequest, CMoveRequest } = dimse.requests;
const { SopClass, Status } = dimse.constants;
const STUDY_ROOT_FIND = SopClass.StudyRootQueryRetrieveInformationModelFind;
const STUDY_ROOT_GET = SopClass.StudyRootQueryRetrieveInformationModelGet;
const STUDY_ROOT_MOVE = SopClass.StudyRootQueryRetrieveInformationModelMove;

/** Names of services for the operator. */
const NAMES: Readonly<Record<string, string>> = {
  [SopClass.Verification]: 'C-ECHO',
  [STUDY_ROOT_FIND]: 'C-FIND (Study Root)',
  [STUDY_ROOT_GET]: 'C-GET (Study Root; images.retrieval can be c-move)',
  [STUDY_ROOT_MOVE]: 'C-MOVE (Study Root; images.retrieval can be c-get)',
};

/** Milliseconds to associate. */
const ASSOCIATION_TIMEOUT = 10_000;
/** Milliseconds without a message from the peer. */
const SILENCE = { find: 60_000, retrieve: 120_000 };
/** Milliseconds for a peer to end a retrieval after a C-CANCEL. */
const CANCEL_TIMEOUT = 300;

/** The UID of no study (PS3.5 §B.2). */
const NO_STUDY = '2.25.268493091543371082446231718470352912863';

/** Limits of simultaneous associations with one archive. */
export type Associations = Record<'searches' | 'retrievals', Semaphore>;

/** A DICOM application entity, and the titles that are used with it. */
export interface Peer {
  host: string;
  port: number;
  /** Its application entity title. */
  calledAe: string;
  /** The application entity title of the gateway. */
  ae: string;
  /** Limits of simultaneous associations with it. */
  associations: Associations;
  /** Certificates, if it speaks TLS (PS3.15 Annex B). */
  tls: RenewedTls | undefined;
  /** Remembers that it does not answer. */
  breaker: CircuitBreaker;
}

/** Start of a C-MOVE. */
export interface MoveStart {
  /** Identifies the objects that arrive, PS3.7 §9.1.1.1.8. */
  messageId: number;
  /** Gets a function to call for each object that arrives, because it shows that the archive is alive. */
  onStart: (alive: () => void) => void;
}

/** The services of one PACS, PS3.4 Annex A and C. Every method throws Faults of `status.ts`. */
export class DimseClient {
  readonly #peer: Peer;

  constructor(peer: Peer) {
    this.#peer = peer;
    const { keys } = identifyingKeys('study', { studyUid: NO_STUDY });
    peer.breaker.probeBy((signal) =>
      this.#onAssociation({ service: STUDY_ROOT_FIND, signal }, (connection) =>
        find(connection, keys, () => true),
      ),
    );
  }

  /**
   * Tries what a source needs: C-ECHO, a search, and the service of retrievals, for a study that does not exist. What an
   * archive answers to a C-MOVE of nothing differs, except that it does not know the destination.
   */
  async tryServices(retrieval: 'c-get' | 'c-move', signal: AbortSignal): Promise<void> {
    await this.#echo(signal);
    const { keys } = identifyingKeys('study', { studyUid: NO_STUDY });
    await this.finding((find) => find(keys, () => true), signal);
    if (retrieval === 'c-get')
      return this.#associated({ service: STUDY_ROOT_GET, signal }, () => Promise.resolve());
    await this.move(keys, { messageId: 1, onStart: () => undefined }, signal).catch((error: unknown) => {
      const cause = error instanceof Fault ? error.cause : error;
      if (!(cause instanceof StatusError) || cause.isUnknownDestination) throw error;
    });
  }

  /** Performs C-ECHO, PS3.4 Annex A. Like a probe, it waits for no other association. */
  async #echo(signal: AbortSignal): Promise<void> {
    await this.#onAssociation({ service: SopClass.Verification, signal }, async (connection) => {
      const { status } = await connection.perform(new CEchoRequest());
      if (status !== Status.Success) throw failure(status, 0);
    });
  }

  /** Runs work with one association for any number of searches. */
  finding<T>(work: (find: Find) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#associated({ service: STUDY_ROOT_FIND, signal }, (connection) =>
      work((keys, take) => find(connection, keys, take)),
    );
  }

  /**
   * Performs C-GET, PS3.4 §C.4.3: the objects arrive on the same association.
   * @param sopClasses of the objects
   * @returns the number of objects that the archive reports as sent
   */
  get(
    keys: IdentifierKeys,
    sopClasses: readonly string[],
    store: (request: StoreRequest) => StoreSink,
    signal: AbortSignal,
  ): Promise<number> {
    const request = new CGetRequest();
    request.setDataset(new Identifier(keys));
    return this.#associated({ service: STUDY_ROOT_GET, sopClasses, store, signal }, (connection, ends) =>
      retrieve(connection, request, { signal: ends }),
    );
  }

  /**
   * Performs C-MOVE to the gateway, PS3.4 §C.4.2: the objects arrive on an association that the archive opens.
   * @returns the number of objects that the archive reports as sent
   */
  move(keys: IdentifierKeys, { messageId, onStart }: MoveStart, signal: AbortSignal): Promise<number> {
    const request = new CMoveRequest();
    request.setDataset(new Identifier(keys));
    request.getCommandDataset().setElement('MoveDestination', this.#peer.ae);
    return this.#associated({ service: STUDY_ROOT_MOVE, signal }, (connection, ends) => {
      onStart(() => connection.touch());
      return retrieve(connection, request, { signal: ends, messageId, destination: this.#peer.ae });
    });
  }

  #connect(): Socket {
    const { host, port, tls } = this.#peer;
    // A server name is never an address, RFC 6066 §3.
    const servername = isIP(host) === 0 ? { servername: host } : {};
    return tls ? connectTls({ host, port, ...servername, ...tls.current() }) : connect({ host, port });
  }

  /** Runs work with an association of its own, when there may be one more. */
  #associated<T>(
    options: AssociateOptions,
    work: (connection: Connection, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { associations, breaker } = this.#peer;
    const isSearch = options.service === STUDY_ROOT_FIND;
    return breaker.run(async (signal) => {
      const endTurn = await associations[isSearch ? 'searches' : 'retrievals'].acquire(signal);
      return this.#onAssociation({ ...options, signal, endTurn }, (connection) => work(connection, signal));
    }, options.signal);
  }

  async #onAssociation<T>(
    { service, sopClasses, store, signal, endTurn = () => undefined }: AssociateOptions,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    const { ae, calledAe, breaker } = this.#peer;
    const association = new dimse.association.Association(ae, calledAe);
    addService(association, service);
    if (sopClasses) addStorage(association, sopClasses);
    const connection = new Connection(this.#connect(), {
      associationTimeout: ASSOCIATION_TIMEOUT,
      silence: service === STUDY_ROOT_FIND ? SILENCE.find : SILENCE.retrieve,
      onData: () => breaker.answered(),
      ...(store && { store }),
    });
    let working = false;
    // A running retrieval is cancelled first.
    const leave = (): void => void (working && service !== STUDY_ROOT_FIND ? undefined : connection.giveUp());
    signal?.addEventListener('abort', leave, { once: true });
    try {
      await connection.open(association);
      if (!connection.accepts(service)) throw serviceNotOffered(NAMES[service]);
      working = true;
      const result = await work(connection);
      connection.release();
      return result;
    } catch (error) {
      connection.giveUp();
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', leave);
      // The archive counts the association until the connection is closed.
      if (connection.socket.closed) endTurn();
      else connection.socket.once('close', endTurn);
    }
  }
}

interface AssociateOptions {
  service: string;
  sopClasses?: readonly string[];
  store?: (request: StoreRequest) => StoreSink;
  signal: AbortSignal | undefined;
  /** Called when the archive does not count the association any more. */
  endTurn?: () => void;
}

/** Searches, and passes each match to `take` until it returns false. */
export type Find = (keys: IdentifierKeys, take: (match: DicomJson) => boolean) => Promise<void>;

/** Performs C-FIND, PS3.4 §C.4.1. */
async function find(
  connection: Connection,
  keys: IdentifierKeys,
  take: (match: DicomJson) => boolean,
): Promise<void> {
  const request = new CFindRequest();
  request.setDataset(new Identifier(keys));
  let enough = false;
  const { status } = await connection.perform(request, ({ identifier }) => {
    if (enough || !identifier || take(identifier)) return;
    enough = true;
    connection.sendCancel(request);
  });
  if (status !== Status.Success && !(enough && status === Status.Cancel)) throw failure(status, 0);
}

async function retrieve(
  connection: Connection,
  request: InstanceType<typeof CGetRequest> | InstanceType<typeof CMoveRequest>,
  { signal, messageId, destination }: { signal: AbortSignal; messageId?: number; destination?: string },
): Promise<number> {
  const cancel = (): void => {
    connection.sendCancel(request);
    setTimeout(() => connection.giveUp(), CANCEL_TIMEOUT).unref();
  };
  signal.addEventListener('abort', cancel, { once: true });
  let answer: Answer;
  try {
    signal.throwIfAborted();
    answer = await connection.perform(request, undefined, messageId);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
  signal.throwIfAborted();
  const { status, command } = answer;
  const failed = number(command, Command.NumberOfFailedSuboperations) ?? 0;
  if (status !== Status.Success || failed > 0) throw failure(status, failed, destination);
  return number(command, Command.NumberOfCompletedSuboperations) ?? 0;
}
