/** Returns a callback that reports at most once a second, and the end always. */
export function onceASecond<More extends unknown[]>(
  report: (done: number, total: number, ...more: More) => void,
): (done: number, total: number, ...more: More) => void {
  let last = 0;
  return (done, total, ...more) => {
    if (done !== total && Date.now() - last < 1000) return;
    last = Date.now();
    report(done, total, ...more);
  };
}
