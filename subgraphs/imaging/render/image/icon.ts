import { escaped } from '../document/markup.ts';

/** Draws the icon for an object without a picture: a sheet with the code of its modality. */
export function modalityIcon(modality: string): string {
  const code = /^[A-Z0-9_]{1,16}$/.test(modality) ? modality : '?';
  const size = Math.min(34, 110 / code.length);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="128" height="128" viewBox="0 0 128 128"><path d="M0 0H128V128H0Z" fill="#1b2733"/><path d="M30 12H82L102 32V116H30Z" fill="#24384a" stroke="#5d7d99" stroke-width="3" stroke-linejoin="round"/><path d="M82 12V32H102" fill="none" stroke="#5d7d99" stroke-width="3" stroke-linejoin="round"/><text x="66" y="${82 + size / 4}" text-anchor="middle" font-family="DejaVu Sans, sans-serif" font-weight="bold" font-size="${size}" fill="#dbe7f1">${escaped(code)}</text></svg>`;
}
