const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/**
 * Says in words when a token ends.
 * @param expires in milliseconds since the epoch; Infinity if nobody says when it ends
 * @param isRenewed true if the page gets a new one by itself when this one ends
 * @param now in milliseconds since the epoch
 */
export function timeLeft(
  { expires, isRenewed }: { expires: number; isRenewed: boolean },
  now: number,
): string {
  if (isRenewed) return 'renewed by itself';
  if (expires === Infinity) return 'it does not say when it ends';
  const left = expires - now;
  if (left < MINUTE) return 'ends in less than a minute';
  if (left < 2 * HOUR) return `ends in ${counted(left / MINUTE, 'minute')}`;
  return `ends in ${left < 48 * HOUR ? counted(left / HOUR, 'hour') : counted(left / (24 * HOUR), 'day')}`;
}

function counted(value: number, unit: string): string {
  const whole = Math.floor(value);
  return `${whole} ${unit}${whole === 1 ? '' : 's'}`;
}
