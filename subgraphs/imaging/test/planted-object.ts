import { connect } from 'node:net';
import dimse from 'dcmjs-dimse';
import { Connection } from '../sources/dicom-dimse/wire/connection.ts';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { dataSetOf, OUR_AE } from './dimse.ts';

/** An object that a stranger sends to the C-STORE SCP of the gateway. */
export interface PlantedObject {
  /** Part 10, explicit VR little endian. */
  file: Buffer;
  sopInstanceUid: string;
  /** Application entity title of the sender. */
  calling: string;
  /** The C-MOVE that it claims to belong to, PS3.7 §9.1.1.1.7. */
  originator?: string;
  messageId?: number;
}

const SECONDARY_CAPTURE = '1.2.840.10008.5.1.4.1.1.7';

/** A data set that is sent byte for byte. */
export class StoredDataSet extends dimse.Dataset {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    super({}, TransferSyntax.ExplicitVRLittleEndian);
    this.#bytes = bytes;
  }

  override getDenaturalizedDataset(): Buffer {
    return this.#bytes;
  }
}

/** Sends the object by C-STORE, with fields that DCMTK's storescu omits. Returns the status of the answer. */
export async function plant(port: number, planted: PlantedObject): Promise<number> {
  const { file, sopInstanceUid, calling, originator, messageId } = planted;
  const connection = new Connection(connect(port, '127.0.0.1'), {
    associationTimeout: 5000,
    silence: 20_000,
  });
  const association = new dimse.association.Association(calling, OUR_AE);
  const id = association.addPresentationContext(SECONDARY_CAPTURE);
  association.addTransferSyntaxToPresentationContext(id, TransferSyntax.ExplicitVRLittleEndian);
  await connection.open(association);
  const request = new dimse.requests.CStoreRequest(new StoredDataSet(dataSetOf(file)));
  request.setAffectedSopClassUid(SECONDARY_CAPTURE);
  request.setAffectedSopInstanceUid(sopInstanceUid);
  const command = request.getCommandDataset();
  if (originator !== undefined) command.setElement('MoveOriginatorApplicationEntityTitle', originator);
  // The library's types allow only text.
  if (messageId !== undefined) command.setElement('MoveOriginatorMessageID', messageId as unknown as string);
  try {
    return (await connection.perform(request)).status;
  } finally {
    connection.release();
  }
}
