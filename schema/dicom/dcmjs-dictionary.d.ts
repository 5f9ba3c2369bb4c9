/** dcmjs has no types; this declares the only part of it that is used here. */
declare module 'dcmjs/dictionary' {
  /** Keys are `(gggg,eeee)`, `(gggg-gggg,eeee)` or `(gggg,"CREATOR",ee)`. */
  export const dictionary: Record<string, { tag: string; vr: string; vm: string; name: string } | undefined>;
}
