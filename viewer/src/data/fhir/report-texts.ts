import type { Attachment, Report } from '../../domain/record/record.ts';
import type { Transport } from '../transport.ts';
import { Trouble } from '../trouble.ts';
import { isPlainText } from './lists.ts';

/** Texts that are fetched for one record, each of at most 1 MB. */
const MOST_TEXTS = 50;
const MOST_BYTES = 1024 * 1024;

export interface TextSource {
  transport: Transport;
  /** Only texts of this server are fetched: an address in a record can lead anywhere. */
  base: string;
  signal: AbortSignal;
}

/**
 * Fetches the plain text of reports that is given by address. (R4 Attachment.url)
 * @returns the reports, and the number of those whose text did not arrive: these keep the attachment
 */
export async function withTexts(
  reports: readonly Report[],
  source: TextSource,
): Promise<{ reports: Report[]; failed: number }> {
  const texts = new Map<Attachment, Promise<string | undefined>>();
  for (const attachment of reports.flatMap((one) => one.attachments)) {
    if (isFetched(attachment, source.base) && texts.size < MOST_TEXTS)
      texts.set(attachment, textOf(attachment.url!, source));
  }
  let failed = 0;
  const completed = reports.map(async (report): Promise<Report> => {
    const wanted = report.attachments.filter((one) => isFetched(one, source.base));
    if (wanted.length === 0) return report;
    const found = await Promise.all(wanted.map((one) => texts.get(one)));
    if (found.includes(undefined)) failed++;
    const text = found.filter((one) => one !== undefined).join('\n\n') || report.text;
    const attachments = report.attachments.filter((one) => found[wanted.indexOf(one)] === undefined);
    return { ...report, text, attachments };
  });
  return { reports: await Promise.all(completed), failed };
}

function isFetched(attachment: Attachment, base: string): boolean {
  return isPlainText(attachment) && attachment.url?.startsWith(base) === true;
}

async function textOf(url: string, { transport, signal }: TextSource): Promise<string | undefined> {
  try {
    const { bytes } = await transport.send(url, { accept: 'text/plain', signal, most: MOST_BYTES });
    return new TextDecoder().decode(bytes);
  } catch (error) {
    if (error instanceof Trouble) return undefined;
    throw error;
  }
}
