/** dcmjs ships no types; this is the one part of it that we read. */
declare module 'dcmjs/dictionary' {
  /** Keys are `(gggg,eeee)`, `(gggg-gggg,eeee)` or `(gggg,"CREATOR",ee)`. */
  export const dictionary: Record<string, { tag: string; vr: string; vm: string; name: string } | undefined>;
}
