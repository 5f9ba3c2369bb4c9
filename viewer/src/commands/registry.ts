/**
 * Everything that the user can do: buttons, keys, gestures and the help sheet are made of it. A feature registers its
 * commands, and touches nothing else.
 */
export interface Command {
  /** Unique, such as `window.lung`. */
  id: string;
  /** Its name on the button and in the help sheet, in the current language. */
  name(): string;
  /** `KeyboardEvent.key`, with `Shift+` and `Control+` before it; the first is shown in the tooltip. */
  keys?: readonly string[];
  group: 'navigation' | 'image' | 'window' | 'measure' | 'layout' | 'page';
  enabled?(): boolean;
  /** For a command that is a switch. */
  pressed?(): boolean;
  run(): void;
}
