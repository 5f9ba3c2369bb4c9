import dimse from 'dcmjs-dimse';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '../../sources/dicom-dimse/wire/connection.ts';
import { Identifier } from '../../sources/dicom-dimse/identifier.ts';
import { acceptStorage, addService } from '../../sources/dicom-dimse/wire/presentation-contexts.ts';
import { damaged } from './random.ts';
import { Random } from '../../../../gateway/test/setup/random.ts';
import { orRefused, type Target } from './target.ts';

const { Verification, StudyRootQueryRetrieveInformationModelFind: STUDY_ROOT } = dimse.constants.SopClass;
const CT = '1.2.840.10008.5.1.4.1.1.2';
const TIMES = { associationTimeout: 1000, silence: 1000 };
/** Milliseconds until a peer that waits for lost bytes is closed. */
const TIMEOUT = 100;

let peer: Server;
let between: Server;
/** Random numbers of the running case. */
let random: Random;
/** Connections of the running case. */
const sockets = new Set<Socket>();

/** A DIMSE connection between two ends of the gateway's code, with damaged bytes between them. */
export const dimseConnection: Target = {
  name: 'dimse',
  async open() {
    dimse.log.setLevel('silent');
    peer = await listening((socket) => {
      new Connection(socket, { ...TIMES, accept: acceptStorage, store: () => taken });
    });
    between = await listening((near) => {
      const far = connect(portOf(peer), '127.0.0.1');
      relay(near, far);
      relay(far, near);
    });
  },
  async run(given) {
    random = given;
    const association = new dimse.association.Association('US', 'THEM');
    for (const service of [Verification, STUDY_ROOT, CT]) addService(association, service);
    const connection = new Connection(connect(portOf(between), '127.0.0.1'), {
      ...TIMES,
      store: () => taken,
    });
    const late = delay(TIMEOUT).then(() => connection.giveUp());
    await orRefused(async () => {
      await connection.open(association);
      for (let count = 0; count < 3; count++) await connection.perform(asked());
    });
    connection.giveUp();
    for (const socket of sockets) socket.destroy();
    await Promise.race([late, delay(1)]);
  },
  async close() {
    for (const server of [between, peer]) server.close();
  },
};

/** Accepts objects, and keeps none. */
const taken = { write: () => undefined, end: async () => 0, abort: () => undefined };

function asked() {
  const data = new Identifier(new Map([['00100020', random.bytes(random.below(300)).toString('latin1')]]));
  if (random.chance(0.3)) return new dimse.requests.CEchoRequest();
  if (random.chance(0.2)) {
    const find = new dimse.requests.CFindRequest();
    find.setDataset(data);
    return find;
  }
  const store = new dimse.requests.CStoreRequest(data);
  store.setAffectedSopClassUid(CT);
  store.setAffectedSopInstanceUid('1.2.3');
  return store;
}

function listening(connected: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    connected(socket);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function relay(from: Socket, to: Socket): void {
  from.on('error', () => undefined).on('close', () => to.destroy());
  from.on(
    'data',
    (chunk) => to.writable && to.write(random.chance(0.15) ? damaged(chunk, random, 100) : chunk),
  );
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
