import dimse, { type association } from 'dcmjs-dimse';
import { TransferSyntax } from '../../../../../schema/dicom/dicom.ts';

const { RejectTransferSyntaxesNotSupported, Accept } = dimse.constants.PresentationContextResult;

/**
 * Accepted transfer syntaxes of objects, the most usual first (PS3.6 Annex A), so that the archive sends them as
 * stored. Implicit VR and Big Endian come after explicit VR, so that an archive that must choose one chooses explicit
 * VR.
 */
const STORED: readonly string[] = [
  TransferSyntax.ExplicitVRLittleEndian,
  TransferSyntax.ImplicitVRLittleEndian,
  '1.2.840.10008.1.2.4.70',
  '1.2.840.10008.1.2.4.90',
  '1.2.840.10008.1.2.4.50',
  '1.2.840.10008.1.2.4.91',
  '1.2.840.10008.1.2.4.80',
  '1.2.840.10008.1.2.5',
  '1.2.840.10008.1.2.4.51',
  '1.2.840.10008.1.2.4.57',
  '1.2.840.10008.1.2.4.81',
  '1.2.840.10008.1.2.4.201',
  '1.2.840.10008.1.2.4.202',
  '1.2.840.10008.1.2.4.203',
  TransferSyntax.ExplicitVRBigEndian,
  TransferSyntax.DeflatedExplicitVRLittleEndian,
  '1.2.840.10008.1.2.4.55',
  '1.2.840.10008.1.2.4.53',
  '1.2.840.10008.1.2.8.1',
  '1.2.840.10008.1.2.4.92',
  '1.2.840.10008.1.2.4.93',
  '1.2.840.10008.1.2.4.100',
  '1.2.840.10008.1.2.4.101',
  '1.2.840.10008.1.2.4.102',
  '1.2.840.10008.1.2.4.103',
  '1.2.840.10008.1.2.4.104',
  '1.2.840.10008.1.2.4.105',
  '1.2.840.10008.1.2.4.106',
  '1.2.840.10008.1.2.4.107',
  '1.2.840.10008.1.2.4.108',
  ...[100, 101, 102, 103, 104, 105, 106].map((number) => `1.2.840.10008.1.2.4.${number}.1`),
  '1.2.840.10008.1.2.4.110',
];

/** Number of contexts: their ids are the odd numbers to 255, PS3.8 §9.3.2.2. */
const MAX_CONTEXTS = 128;

/** Adds the context of a service whose identifiers are in implicit VR little endian. */
export function addService(association: association.Association, abstractSyntax: string): void {
  const id = association.addPresentationContext(abstractSyntax);
  association.addTransferSyntaxToPresentationContext(id, TransferSyntax.ImplicitVRLittleEndian);
}

/**
 * Adds contexts for the archive to send objects of these SOP classes within a C-GET: for each class one for every
 * transfer syntax, because an archive selects one transfer syntax of a context and would have to convert the others.
 * With too many classes, the rarest transfer syntaxes get no context, and the archive has to convert them.
 */
export function addStorage(association: association.Association, sopClasses: readonly string[]): void {
  const each = Math.max(1, Math.floor((MAX_CONTEXTS - 1) / sopClasses.length));
  for (const sopClass of sopClasses.slice(0, MAX_CONTEXTS - 1)) {
    for (const transferSyntax of STORED.slice(0, each)) {
      const id = association.addPresentationContext(sopClass);
      association.addTransferSyntaxToPresentationContext(id, transferSyntax);
      // SCP/SCU role selection, PS3.7 §D.3.3.4: the gateway receives objects.
      association.getPresentationContext(id).setProviderRole(true);
    }
  }
}

/** Accepts the first supported transfer syntax of each context that a peer proposes. */
export function acceptStorage(association: association.Association): void {
  for (const { context } of association.getPresentationContexts()) {
    const proposed = context.getTransferSyntaxUids();
    const taken = proposed.find((transferSyntax) => STORED.includes(transferSyntax));
    context.setResult(taken ? Accept : RejectTransferSyntaxesNotSupported, taken);
  }
}
