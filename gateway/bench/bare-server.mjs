/**
 * A server that only answers: how late its answers are comes from the machine, from Node and from the client. Plain
 * JavaScript, because it runs without a loader of TypeScript. Its argument is the port.
 */
import { createServer } from 'node:http';

/** Milliseconds that each answer computes, about as long as a federated request does. */
const COMPUTES = 0.12;
const body = JSON.stringify({ data: 'x'.repeat(3000) });

createServer((request, response) => {
  request.resume().on('end', () => {
    for (const until = performance.now() + COMPUTES; performance.now() < until;);
    response.setHeader('content-type', 'application/json').end(body);
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
