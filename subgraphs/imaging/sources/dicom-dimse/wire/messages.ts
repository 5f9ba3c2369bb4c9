import type { association } from 'dcmjs-dimse';
import { number, text, type DicomJson } from '../../../../../schema/dicom/dicom.ts';
import { decodeDataset, IMPLICIT_LITTLE_ENDIAN } from '../identifier.ts';

/** Elements of command sets, PS3.7 §E.1. */
export const Command = {
  AffectedSOPClassUID: '00000002',
  CommandField: '00000100',
  MessageID: '00000110',
  MessageIDBeingRespondedTo: '00000120',
  CommandDataSetType: '00000800',
  Status: '00000900',
  AffectedSOPInstanceUID: '00001000',
  NumberOfCompletedSuboperations: '00001021',
  NumberOfFailedSuboperations: '00001022',
  MoveOriginatorApplicationEntityTitle: '00001030',
  MoveOriginatorMessageID: '00001031',
} as const;

const C_STORE_RQ = 0x0001;
const NO_DATA_SET = 0x0101;

/** Bytes of a command set or an identifier. A longer one is invalid. */
const MAX_MESSAGE = 4 * 1024 * 1024;

/** Announcement of an object by a peer, PS3.7 §9.1.1. */
export interface StoreRequest {
  sopClassUid: string;
  sopInstanceUid: string;
  /** Of the data set, as negotiated for this context. */
  transferSyntax: string;
  /** AE title that requested it by C-MOVE, if the peer gives it. */
  moveOriginator?: string;
  /** Message ID of that C-MOVE, if the peer gives it. */
  moveMessageId?: number;
}

/** Receiver of the bytes of one object. */
export interface StoreSink {
  /** @returns a promise when the peer has to wait before it sends more */
  write(fragment: Buffer): Promise<void> | undefined;
  /** Called after all bytes. Resolves with the status for the peer, PS3.7 §9.1.1.1.9. */
  end(): Promise<number>;
  /** Called when the association ends before the object. */
  abort(): void;
}

/** One fragment of a message, PS3.8 §9.3.5, of the library. */
export interface Pdv {
  getPresentationContextId(): number;
  getValue(): Buffer;
  isCommand(): boolean;
  isLastFragment(): boolean;
}

/** A complete message. */
export interface Received {
  command: DicomJson;
  context: association.PresentationContext;
  /** Set if it has one, except for an object, whose sink has received it. */
  dataSet?: Buffer;
}

export interface MessagesOptions {
  /** Receives the objects that the peer sends. */
  store: ((request: StoreRequest) => StoreSink) | undefined;
  message(received: Received): void;
  /** Called after all bytes of an object went to its sink. */
  stored(received: Received, sink: StoreSink): void;
  /** Called when nothing can be received until `drained` resolves. */
  full(drained: Promise<void>): void;
}

interface Incoming {
  command: DicomJson;
  context: association.PresentationContext;
  fragments: Buffer[];
  bytes: number;
  sink?: StoreSink;
}

/**
 * Assembles messages from fragments, PS3.7 §6.3.1. Objects are passed on as they arrive. An error ends the connection.
 */
export class Messages {
  readonly #options: MessagesOptions;
  #incoming: Incoming | undefined;
  #command: Buffer[] = [];
  #commandBytes = 0;

  constructor(options: MessagesOptions) {
    this.#options = options;
  }

  take(pdv: Pdv, context: association.PresentationContext): void {
    if (pdv.isCommand()) this.#takeCommand(pdv, context);
    else this.#takeData(pdv);
  }

  /** Called when the connection has ended. */
  abort(): void {
    this.#incoming?.sink?.abort();
    this.#incoming = undefined;
  }

  #takeCommand(pdv: Pdv, context: association.PresentationContext): void {
    this.#commandBytes += pdv.getValue().length;
    if (this.#commandBytes > MAX_MESSAGE) throw new Error('a command of absurd length');
    this.#command.push(pdv.getValue());
    if (!pdv.isLastFragment()) return;
    const command = decodeDataset(Buffer.concat(this.#command), IMPLICIT_LITTLE_ENDIAN);
    this.#command = [];
    this.#commandBytes = 0;
    if (number(command, Command.CommandDataSetType) === NO_DATA_SET)
      return this.#options.message({ command, context });
    const isObject = number(command, Command.CommandField) === C_STORE_RQ;
    this.#incoming = {
      command,
      context,
      fragments: [],
      bytes: 0,
      ...(isObject && { sink: this.#sink(command, context) }),
    };
  }

  #sink(command: DicomJson, context: association.PresentationContext): StoreSink {
    if (!this.#options.store) throw new Error('an object that nobody asked for');
    const moveOriginator = text(command, Command.MoveOriginatorApplicationEntityTitle);
    const moveMessageId = number(command, Command.MoveOriginatorMessageID);
    return this.#options.store({
      sopClassUid: text(command, Command.AffectedSOPClassUID) ?? '',
      sopInstanceUid: text(command, Command.AffectedSOPInstanceUID) ?? '',
      transferSyntax: context.getAcceptedTransferSyntaxUid() ?? '',
      moveOriginator,
      moveMessageId,
    });
  }

  #takeData(pdv: Pdv): void {
    const incoming = this.#incoming;
    if (!incoming) throw new Error('data without a command');
    const { command, context, sink, fragments } = incoming;
    const value = pdv.getValue();
    if (sink) {
      const drained = sink.write(value);
      if (drained) this.#options.full(drained);
    } else {
      incoming.bytes += value.length;
      if (incoming.bytes > MAX_MESSAGE) throw new Error('an identifier of absurd length');
      fragments.push(value);
    }
    if (!pdv.isLastFragment()) return;
    this.#incoming = undefined;
    if (sink) this.#options.stored({ command, context }, sink);
    else this.#options.message({ command, context, dataSet: Buffer.concat(fragments) });
  }
}
