import dimse, { type association } from 'dcmjs-dimse';
import { TransferSyntax } from '../../../../../schema/dicom/dicom.ts';

const { RejectTransferSyntaxesNotSupported, Accept } = dimse.constants.PresentationContextResult;

/**
 * Transfer syntaxes that objects are taken in, the most usual first (PS3.6 Annex A): whatever the archive has stored.
 * Big Endian and implicit VR come after explicit, so that an archive which has to choose one chooses well.
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
  '1.2.840.10008.1.2.4.110',
];

/** Context ids are the odd numbers to 255, PS3.8 §9.3.2.2. */
const MAX_CONTEXTS = 128;

/** Adds the context of a service whose identifiers we write in implicit VR little endian. */
export function addService(association: association.Association, abstractSyntax: string): void {
  const id = association.addPresentationContext(abstractSyntax);
  association.addTransferSyntaxToPresentationContext(id, TransferSyntax.ImplicitVRLittleEndian);
}

/**
 * Adds contexts by which the archive may send objects of these SOP classes within a C-GET: of each class one for every
 * transfer syntax, since an archive takes one of those that a context offers and would have to convert the others.
 * Where the contexts do not suffice, the transfer syntaxes that are rarest are left to it to convert.
 */
export function addStorage(association: association.Association, sopClasses: readonly string[]): void {
  const each = Math.max(1, Math.floor((MAX_CONTEXTS - 1) / sopClasses.length));
  for (const sopClass of sopClasses.slice(0, MAX_CONTEXTS - 1)) {
    for (const transferSyntax of STORED.slice(0, each)) {
      const id = association.addPresentationContext(sopClass);
      association.addTransferSyntaxToPresentationContext(id, transferSyntax);
      // SCP/SCU role selection, PS3.7 §D.3.3.4: we take what they send.
      association.getPresentationContext(id).setProviderRole(true);
    }
  }
}

/** Accepts, of each context that a peer proposes, the first transfer syntax that objects are taken in. */
export function acceptStorage(association: association.Association): void {
  for (const { context } of association.getPresentationContexts()) {
    const proposed = context.getTransferSyntaxUids();
    const taken = proposed.find((transferSyntax) => STORED.includes(transferSyntax));
    context.setResult(taken ? Accept : RejectTransferSyntaxesNotSupported, taken);
  }
}
