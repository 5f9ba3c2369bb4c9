import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import dimse, { type association, type requests, type responses } from 'dcmjs-dimse';
import { number, text, type DicomJson } from '../../../../../schema/dicom/dicom.ts';
import type { Fault } from '../../../../../schema/fault/fault.ts';
import { decodeDataset } from '../identifier.ts';
import { Command, Messages, type Pdv, type Received, type StoreRequest, type StoreSink } from './messages.ts';
import { boundPdus, MAX_PDU } from './pdu-length.ts';
import {
  archiveAway,
  archiveFault,
  archiveLate,
  endedAtOnce,
  rejection,
  serviceNotOffered,
  type Titles,
} from './status.ts';

const C_ECHO_RQ = 0x0030;
const PENDING = new Set([0xff00, 0xff01]);
const OUT_OF_RESOURCES = 0xa700;
/** Milliseconds from the first to the last byte of a PDU. */
const PDU_TIME = 30_000;
/** Milliseconds until a connection is closed after its association has ended. */
const PARTING = 1000;

/** An answer of the peer to a request. */
export interface Answer {
  status: number;
  command: DicomJson;
  /** The data set of a C-FIND answer. */
  identifier?: DicomJson;
}

export interface ConnectionOptions {
  /** Milliseconds for each step of connecting and associating. */
  associationTimeout: number;
  /** Milliseconds from the first to the last byte of a PDU (default: 30 s). */
  pduTimeout?: number;
  /** Milliseconds to wait for a message of the peer. */
  silence: number;
  /** Called when data of the peer arrive, also on another connection (`touch`), or its rejection. */
  onData?: () => void;
  /** Receives the objects that the peer sends. */
  store?: (request: StoreRequest) => StoreSink;
  /** Called when a peer associates. Throws the reason of a refusal, PS3.8 §9.3.4. */
  accept?: (association: association.Association) => void;
}

/** Refusal of an association with its reason, PS3.8 §9.3.4. */
export class Refused extends Error {
  readonly reason: number;

  constructor(reason: number) {
    super('association refused');
    this.reason = reason;
  }
}

interface Asked {
  pending: (answer: Answer) => void;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

/**
 * One association over one socket, requested or accepted by the gateway. The library handles PDUs, negotiation and
 * writing of commands. `Messages` reads messages, because the library would decode every data set (with fewer character
 * sets), keep objects in memory, and fail for a command without a data set before the next one.
 */
export class Connection extends dimse.Scp {
  /** Member of the library that its types omit. */
  declare readonly socket: Socket;
  declare private connected: boolean;
  declare private association: association.Association | undefined;
  declare private lastPduTime: number | undefined;
  declare private _sendDimse: (message: {
    context: association.PresentationContext;
    command: requests.Request | responses.Response;
  }) => void;

  readonly #options: ConnectionOptions;
  #failure: unknown;
  #opening: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  #asked: Asked | undefined;
  readonly #messages: Messages;
  /** Timer that ends the connection of a peer that does not associate. */
  #associating: NodeJS.Timeout | undefined;
  #messageId = 0;
  /** The titles of an association that the gateway requests. */
  #titles: Titles | undefined;
  #hasAnswered = false;

  constructor(socket: Socket, options: ConnectionOptions) {
    boundPdus(socket, options.pduTimeout ?? PDU_TIME);
    super(socket, {
      connectTimeout: options.associationTimeout,
      associationTimeout: options.associationTimeout,
      pduTimeout: options.silence,
    });
    this.#options = options;
    this.#messages = new Messages({
      store: options.store,
      message: (received) => this.#message(received),
      stored: (received, sink) => void this.#stored(received, sink),
      full: (drained) => {
        socket.pause();
        // The gateway's disk is slow, and the peer is not silent.
        void drained.catch(() => undefined).then(() => (this.touch(), socket.resume()));
      },
    });
    // A command and its identifier are two writes, and the second must not wait for the acknowledgement of the first.
    socket.setNoDelay(true);
    this.on('associationAccepted', () => this.#opening?.resolve());
    this.on('associationRejected', (event) => {
      options.onData?.();
      this.#fail(rejection(event as { result: number; reason: number }, this.#titles!));
    });
    // Before the library, which keeps only the text of an error. An error without a code is from an invalid PDU.
    socket.prependListener('error', (error: NodeJS.ErrnoException) => {
      this.#fail(error.code === undefined ? archiveFault(error) : archiveAway(error));
    });
    this.on('networkError', (event) => {
      const isLate = /time(d )?out/i.test((event as Error).message);
      this.#fail(isLate ? archiveLate(event) : archiveFault(event));
    });
    // An accepted socket is connected. After connecting, the library's timer between PDUs applies.
    this.connected = !socket.connecting;
    if (this.connected) {
      socket.setTimeout(0);
      // The library's timer starts at a connect event, which such a socket does not have.
      const late = (): void => this.#fail(archiveLate(new Error('association timed out')));
      this.#associating = setTimeout(late, options.associationTimeout).unref();
    } else socket.once(readyEvent(socket), () => socket.setTimeout(0));
    socket.once('close', () => this.#fail(this.#ended('connection closed by the peer')));
  }

  /** Requests the association on a connecting socket. */
  open(association: association.Association): Promise<void> {
    association.setMaxPduLength(MAX_PDU);
    this.#titles = { calling: association.getCallingAeTitle(), called: association.getCalledAeTitle() };
    this.socket.once(readyEvent(this.socket), () => this.sendAssociationRequest(association));
    return new Promise((resolve, reject) => {
      if (this.#failure) reject(this.#failure);
      this.#opening = { resolve, reject };
    });
  }

  /** True if a connected peer has associated. */
  get associated(): boolean {
    return this.#associating === undefined;
  }

  /** Tells whether the peer accepted a context of this abstract syntax. */
  accepts(abstractSyntax: string): boolean {
    return this.#context(abstractSyntax) !== undefined;
  }

  /**
   * Sends a request. Passes each answer except the last to `pending`, and resolves with the last. One at a time.
   * @param messageId default: the next one of this association
   * @throws Fault when the connection ends first
   */
  perform(
    request: requests.Request,
    pending: (answer: Answer) => void = () => undefined,
    messageId = ++this.#messageId,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const context = this.#context(request.getAffectedSopClassUid());
      if (this.#failure) return reject(this.#failure);
      if (!context) return reject(serviceNotOffered());
      this.#asked = { pending, resolve, reject };
      request.setMessageId(messageId);
      this.lastPduTime = Date.now();
      this._sendDimse({ context, command: request });
    });
  }

  /** Notes a sign of the peer on another connection, so that it does not count as silent. */
  touch(): void {
    this.lastPduTime = Date.now();
    this.#options.onData?.();
  }

  /** Releases the association. */
  release(): void {
    this.#failure ??= archiveAway(new Error('association released'));
    this.once('associationReleaseResponse', () => this.socket.destroy());
    if (this.socket.writable) this.sendAssociationReleaseRequest();
    setTimeout(() => this.socket.destroy(), PARTING).unref();
  }

  /** Aborts the association at once, PS3.8 §7.3. */
  giveUp(): void {
    if (this.association && this.socket.writable) this.sendAbort();
    this.#fail(archiveAway(new Error('association given up')));
  }

  override abort(): void {
    this.#fail(this.#ended('association aborted by the peer'));
  }

  #ended(what: string): Fault {
    if (!this.#titles || this.#hasAnswered) return archiveAway(new Error(what));
    return endedAtOnce(what, this.#titles, this.socket instanceof TLSSocket);
  }

  override associationRequested(association: association.Association): void {
    try {
      if (!this.#options.accept) throw new Refused(dimse.constants.RejectReason.NoReasonGiven);
      this.#options.accept(association);
      clearTimeout(this.#associating);
      this.#associating = undefined;
      this.sendAssociationAccept();
    } catch (error) {
      const reason = error instanceof Refused ? error.reason : dimse.constants.RejectReason.NoReasonGiven;
      const { RejectResult, RejectSource } = dimse.constants;
      this.sendAssociationReject(RejectResult.Permanent, RejectSource.ServiceUser, reason);
      this.#part();
    }
  }

  override associationReleaseRequested(): void {
    this.sendAssociationReleaseResponse();
    this.#part();
  }

  /** Called by the library with each P-DATA-TF, PS3.8 §9.3.5. An error ends the connection. */
  async _processPDataTf(pdu: { getPdvs(): Pdv[] }): Promise<void> {
    try {
      if (!this.associated) throw new Error('data without an association');
      this.#options.onData?.();
      for (const pdv of pdu.getPdvs()) {
        const context = this.association!.getPresentationContext(pdv.getPresentationContextId());
        this.#messages.take(pdv, context);
      }
    } catch (error) {
      this.#fail(archiveFault(error));
    }
  }

  async #stored({ command, context }: Received, sink: StoreSink): Promise<void> {
    const status = await sink.end().catch(() => OUT_OF_RESOURCES);
    this.touch();
    if (this.#failure) return;
    const response = new dimse.responses.CStoreResponse(status, '');
    response.setMessageIdBeingRespondedTo(number(command, Command.MessageID) ?? 0);
    response.setAffectedSopClassUid(text(command, Command.AffectedSOPClassUID) ?? '');
    response.setAffectedSopInstanceUid(text(command, Command.AffectedSOPInstanceUID) ?? '');
    this._sendDimse({ context, command: response });
  }

  #message({ command, context, dataSet }: Received): void {
    const status = number(command, Command.Status);
    if (status === undefined) return this.#request(command, context);
    this.#hasAnswered = true;
    const syntax = context.getAcceptedTransferSyntaxUid() ?? '';
    const answer: Answer = {
      status,
      command,
      ...(dataSet && { identifier: decodeDataset(dataSet, syntax) }),
    };
    if (PENDING.has(status)) return this.#asked?.pending(answer);
    const asked = this.#asked;
    this.#asked = undefined;
    asked?.resolve(answer);
  }

  /** Answers C-ECHO, the only service besides C-STORE. */
  #request(command: DicomJson, context: association.PresentationContext): void {
    if (number(command, Command.CommandField) !== C_ECHO_RQ) throw new Error('a service that is not offered');
    const response = new dimse.responses.CEchoResponse(dimse.constants.Status.Success, '');
    response.setMessageIdBeingRespondedTo(number(command, Command.MessageID) ?? 0);
    this._sendDimse({ context, command: response });
  }

  #context(abstractSyntax: string): association.PresentationContext | undefined {
    const { Accept } = dimse.constants.PresentationContextResult;
    return this.association
      ?.getPresentationContexts()
      .map(({ context }) => context)
      .find((context) => context.getAbstractSyntaxUid() === abstractSyntax && context.getResult() === Accept);
  }

  /** Closes the connection after some time, in which the peer may close it first (PS3.8 §9.2, ARTIM timer). */
  #part(): void {
    this.socket.end();
    setTimeout(() => this.socket.destroy(), PARTING).unref();
  }

  #fail(error: unknown): void {
    clearTimeout(this.#associating);
    const first = this.#failure === undefined;
    this.#failure ??= error;
    this.socket.destroy();
    if (!first) return;
    this.#opening?.reject(this.#failure);
    this.#asked?.reject(this.#failure);
    this.#asked = undefined;
    this.#messages.abort();
  }
}

/** Returns the event after which a connecting socket may send: with TLS, when the certificate of the peer was checked. */
const readyEvent = (socket: Socket) => (socket instanceof TLSSocket ? 'secureConnect' : 'connect');
