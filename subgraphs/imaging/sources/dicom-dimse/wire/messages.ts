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

/** Bytes of a command set or an identifier: what is longer is none. */
const MAX_MESSAGE = 4 * 1024 * 1024;

/** What a peer announces before it sends the object itself, PS3.7 §9.1.1. */
export interface StoreRequest {
  sopClassUid: string;
  sopInstanceUid: string;
  /** The data set's, as the association has it for this context. */
  transferSyntax: string;
  /** Who asked for it by C-MOVE, where the peer says so. */
  moveOriginator?: string;
  /** The Message ID of that C-MOVE, likewise. */
  moveMessageId?: number;
}

/** Where the bytes of one object go while they arrive. */
export interface StoreSink {
  /** @returns a promise where the peer has to wait until more can be taken */
  write(fragment: Buffer): Promise<void> | undefined;
  /** All bytes are there; resolves with the status that the peer is told, PS3.7 §9.1.1.1.9. */
  end(): Promise<number>;
  /** The association ended before the object did. */
  abort(): void;
}

/** One fragment of a message, PS3.8 §9.3.5, as the library has it. */
export interface Pdv {
  getPresentationContextId(): number;
  getValue(): Buffer;
  isCommand(): boolean;
  isLastFragment(): boolean;
}

/** A message, all of which has come. */
export interface Received {
  command: DicomJson;
  context: association.PresentationContext;
  /** Where it has one; an object's has gone to its sink. */
  dataSet?: Buffer;
}

export interface MessagesOptions {
  /** Takes the objects that the peer sends. */
  store: ((request: StoreRequest) => StoreSink) | undefined;
  message(received: Received): void;
  /** All bytes of an object have been given to its sink. */
  stored(received: Received, sink: StoreSink): void;
  /** No more can be taken before this. */
  full(drained: Promise<void>): void;
}

interface Incoming {
  command: DicomJson;
  context: association.PresentationContext;
  fragments: Buffer[];
  bytes: number;
  sink?: StoreSink;
}

/** Puts messages together of their fragments, PS3.7 §6.3.1; objects go on as they come. What is thrown ends the connection. */
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

  /** The connection has ended. */
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
      ...{ command, context, fragments: [], bytes: 0 },
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
      ...(moveOriginator !== undefined && { moveOriginator }),
      ...(moveMessageId !== undefined && { moveMessageId }),
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
