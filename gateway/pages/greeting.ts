import { firstRequestCommands } from './first-request.ts';

/**
 * Says where the pages are, and a first request.
 * @param secretFile file with the demonstration's secret; undefined when the demonstration is not served
 */
export function greeting(baseUrl: string, secretFile: string | undefined): string {
  const pages = `
SMART Imaging Gateway
  Start page  ${baseUrl}/
  Viewer      ${baseUrl}/app/`;
  if (secretFile === undefined) return pages;
  return `${pages}
  Playground  ${baseUrl}/demo/playground

A token, and a first request:
${firstRequestCommands(baseUrl, secretFile)}
`;
}
