/** The decoder of HTJ2K, which its package does not describe. */
declare module '@cornerstonejs/codec-openjph/wasmjs' {
  interface Decoder {
    /** Returns memory of the decoder for the encoded bytes. */
    getEncodedBuffer(length: number): Uint8Array;
    decode(): void;
    getFrameInfo(): {
      width: number;
      height: number;
      bitsPerSample: number;
      componentCount: number;
      isSigned: boolean;
    };
    /** Returns memory of the decoder. */
    getDecodedBuffer(): Uint8Array;
  }
  export default function load(options: {
    locateFile: (name: string) => string;
  }): Promise<{ HTJ2KDecoder: new () => Decoder }>;
}
