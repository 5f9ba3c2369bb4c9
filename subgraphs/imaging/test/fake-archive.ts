import { createServer, type AddressInfo, type Socket } from 'node:net';
import dimse, { type association, type requests, type responses } from 'dcmjs-dimse';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { dataSetOf } from './dimse.ts';
import { StoredDataSet } from './planted-object.ts';

type Level = 'STUDY' | 'SERIES' | 'IMAGE';

/** Answers and objects that a real archive would not send. */
export interface FakeArchiveOptions {
  /** Answers of C-FIND at each level, by DICOM keywords. */
  rows: Record<Level, readonly Record<string, string | number>[]>;
  /** Part 10 files of Secondary Capture in explicit VR little endian, which C-GET sends with these UIDs. */
  objects?: readonly { sopInstanceUid: string; file: Buffer }[];
}

export interface FakeArchive {
  endpoint: string;
  stop(): Promise<void>;
}

const { Accept } = dimse.constants.PresentationContextResult;
const { Status } = dimse.constants;
const SECONDARY_CAPTURE = '1.2.840.10008.5.1.4.1.1.7';

/** Starts an archive for C-FIND and C-GET that sends the given rows and objects, and always reports success. */
export async function startFakeArchive({ rows, objects = [] }: FakeArchiveOptions): Promise<FakeArchive> {
  dimse.log.setLevel('silent');

  class Archive extends dimse.Scp {
    override associationRequested(association: association.Association): void {
      for (const { context } of association.getPresentationContexts())
        context.setResult(Accept, context.getTransferSyntaxUids()[0]);
      (this as unknown as { sendAssociationAccept(): void }).sendAssociationAccept();
    }

    override associationReleaseRequested(): void {
      (this as unknown as { sendAssociationReleaseResponse(): void }).sendAssociationReleaseResponse();
    }

    override cFindRequest(
      request: requests.CFindRequest,
      callback: (answers: responses.CFindResponse[]) => void,
    ): void {
      const level = String(request.getDataset()!.getElement('QueryRetrieveLevel')) as Level;
      const answers = rows[level].map((row) => {
        const answer = dimse.responses.CFindResponse.fromRequest(request);
        answer.setDataset(new dimse.Dataset({ QueryRetrieveLevel: level, ...row }));
        answer.setStatus(Status.Pending);
        return answer;
      });
      const last = dimse.responses.CFindResponse.fromRequest(request);
      last.setStatus(Status.Success);
      callback([...answers, last]);
    }

    override cGetRequest(
      request: requests.CGetRequest,
      callback: (answers: responses.CGetResponse[]) => void,
    ): void {
      const stores = objects.map(({ sopInstanceUid, file }) => {
        const store = new dimse.requests.CStoreRequest(new StoredDataSet(dataSetOf(file)));
        store.setAffectedSopClassUid(SECONDARY_CAPTURE);
        store.setAffectedSopInstanceUid(sopInstanceUid);
        store.setAdditionalTransferSyntaxes([TransferSyntax.ExplicitVRLittleEndian]);
        return store;
      });
      let left = stores.length;
      for (const store of stores) {
        store.on('response', () => {
          if (--left > 0) return;
          const answer = dimse.responses.CGetResponse.fromRequest(request);
          answer.setStatus(Status.Success);
          answer.setCompleted(stores.length);
          callback([answer]);
        });
      }
      this.sendRequests(stores);
    }

    override abort(): void {
      // The peer is done.
    }
  }

  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    const archive = new Archive(socket);
    archive.on('networkError', () => undefined);
    Object.assign(archive, { connected: true });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `dimse://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
