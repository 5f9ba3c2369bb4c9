/** Content of a structured document as lines, a point for each level below the first. */
import { codeOf } from '../../../schema/dicom/code.ts';
import { items } from '../../../schema/dicom/dicom.ts';
import { text, type Instance } from '../../src/domain/instance.ts';

export function treeOf(item: Instance, depth = -1): string[] {
  const [template] = items(item, '0040A504');
  const words = [
    text(item, '0040A010'),
    text(item, '0040A040'),
    codeWords(item, '0040A043'),
    template && `(${text(template, '00080105')} ${text(template, '0040DB00')})`,
    valueWords(item),
  ];
  const line = `${'. '.repeat(Math.max(depth, 0))}${words.filter(Boolean).join(' ')}`;
  return [line, ...items(item, '0040A730').flatMap((child) => treeOf(child, depth + 1))];
}

function codeWords(item: Instance, tag: string): string | undefined {
  const code = codeOf(item, tag);
  return code && `${code.scheme} ${code.value}`;
}

function valueWords(item: Instance): string | undefined {
  const code = codeWords(item, '0040A168');
  const [measured] = items(item, '0040A300');
  const [image] = items(item, '00081199');
  const words = code ?? text(item, '0040A160') ?? text(item, '0040A123') ?? text(item, '0040A124');
  if (words !== undefined) return `= ${words}`;
  if (measured) return `= ${text(measured, '0040A161')} ${codeOf(measured, '004008EA')?.value}`;
  if (image) {
    const frame = text(image, '00081160');
    return `${text(image, '00081155')}${frame ? ` frame ${frame}` : ''}`;
  }
  const points = item['00700022']?.Value;
  return points && `${text(item, '00700023')} ${points.join(' ')}`;
}
