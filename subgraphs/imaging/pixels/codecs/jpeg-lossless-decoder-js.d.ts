/** The package names a file of types that it does not have. */
declare module 'jpeg-lossless-decoder-js' {
  export class Decoder {
    /** @param bytes of a decoded sample */
    decode(buffer: ArrayBufferLike, offset: number, length: number, bytes: 1 | 2): { buffer: ArrayBuffer };
  }
}
