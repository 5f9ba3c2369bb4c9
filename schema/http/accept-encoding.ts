/**
 * Returns true when an Accept-Encoding names a coding and does not refuse it with `q=0` (RFC 9110 §12.5.3). `*` names none:
 * not every client that sends it can decode all codings.
 * @param header value of the header; empty when it is missing
 */
export function takesCoding(header: string, coding: string): boolean {
  return header.split(',').some((member) => {
    const [name = '', ...parameters] = member.toLowerCase().split(';');
    return name.trim() === coding && !parameters.some((parameter) => /^\s*q=0(\.0*)?\s*$/.test(parameter));
  });
}
