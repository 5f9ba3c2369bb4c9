import { expect, it } from 'vitest';
import { connect } from 'node:net';
import { once } from 'node:events';
import { startRedis } from './redis.ts';

it('the Redis that tests start keeps a value and is gone after stop', async () => {
  const redis = await startRedis();
  const socket = connect(redis.port, '127.0.0.1');
  socket.write('SET a 1\r\nGET a\r\n');
  let answer = '';
  while (!answer.endsWith('$1\r\n1\r\n')) answer += String((await once(socket, 'data'))[0]);
  expect(answer).toBe('+OK\r\n$1\r\n1\r\n');
  socket.destroy();
  await redis.stop();
  await redis.stop();
  await expect(once(connect(redis.port, '127.0.0.1'), 'connect')).rejects.toMatchObject({
    code: 'ECONNREFUSED',
  });
});
