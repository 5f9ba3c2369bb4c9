/**
 * Writes, inside each thread of a Node process, every connection that it opens and every name that it looks up into the
 * file named by `WATCH_CONNECTIONS`, one in each line: `connect host:port`, `lookup name`; first `watching thread N`. Loaded with `--import` before
 * the program itself; plain JavaScript, because the program runs compiled.
 */
import dgram from 'node:dgram';
import dns from 'node:dns';
import { appendFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { threadId } from 'node:worker_threads';

const file = process.env['WATCH_CONNECTIONS'] ?? '';

/** @param {string} line */
const write = (line) => appendFileSync(file, `${line}\n`);

/**
 * Calls `tell` with the arguments of each call of a method.
 * @param {any} owner
 * @param {string} name
 * @param {(...values: any[]) => void} tell
 */
function watch(owner, name, tell) {
  const own = owner[name];
  owner[name] = function (/** @type {any[]} */ ...values) {
    tell(...values);
    return own.apply(this, values);
  };
}

/** An address is looked up where a server listens: nothing is sent for that. @param {string} asked */
const lookedUp = (asked) => {
  if (!net.isIP(asked)) write(`lookup ${asked}`);
};

if (file) {
  watch(net.Socket.prototype, 'connect', (first, second) => {
    // `net.connect` passes its arguments as one list.
    const [options, host] = Array.isArray(first) ? first : [first, second];
    if (typeof options !== 'object')
      return write(`connect ${typeof host === 'string' ? host : 'localhost'}:${options}`);
    write(`connect ${options.path ?? `${options.host ?? 'localhost'}:${options.port}`}`);
  });
  watch(dgram.Socket.prototype, 'send', (...values) => write(`send ${values.slice(1, 5).join(' ')}`));
  for (const name of Object.keys(dns).filter((one) => /^(lookup|resolve|reverse)/.test(one))) {
    for (const owner of [dns, dns.promises]) if (name in owner) watch(owner, name, lookedUp);
  }
  syncBuiltinESMExports();
  write(`watching thread ${threadId}`);
}
