import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startOrthanc } from '../../../gateway/test/setup/orthanc.ts';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../gateway/test/setup/shared-data.ts';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import { orthancImages, patient, testAccess, testSubgraph, testTenant } from '../test/subgraph.ts';
import { startUpstream } from '../test/upstream.ts';
import { timeAwake } from '../../../gateway/test/setup/processor-time.ts';

/** Archives that are down, slow, refuse, or die in the middle, over real sockets. */

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const STUDY = '1.2.3';
const rows = [{ '0020000D': { vr: 'UI', Value: [STUDY] }, '00100020': { vr: 'LO', Value: ['MRN'] } }];

async function gateway(images: object, now?: () => number) {
  const served = await testSubgraph(
    [testTenant(images)],
    { own: testAccess([patient('own', 'MRN')]) },
    now ? { now } : {},
  );
  closing.push(() => served.close());
  const url = await served.app.listen({ port: 0, host: '127.0.0.1' });
  return (path: string, headers: Record<string, string> = {}, signal?: AbortSignal) =>
    // Keep-alive: if the connection is to close, undici 7.25 takes a cut answer for a complete one.
    request(`${url}/test/dicomweb${path}`, {
      headers: { authorization: 'Bearer own', ...headers },
      signal: signal ?? null,
    });
}

/** Starts an archive that finds the study, and gives every other answer by `answer`. */
async function archive(answer: (request: IncomingMessage, response: ServerResponse) => unknown) {
  const upstream = await startUpstream((incoming, response) => {
    if (!incoming.url!.startsWith('/studies?')) return answer(incoming, response);
    response.writeHead(200, { 'content-type': 'application/dicom+json' }).end(JSON.stringify(rows));
  });
  closing.push(() => upstream.close());
  return upstream;
}

const images = (endpoint: string, more: object = {}) => ({
  type: 'dicom-web',
  endpoint,
  lookup: 'studies-by-mrn',
  ...more,
});

const multipart = { 'content-type': 'multipart/related; type="application/dicom"; boundary=b' };
const part = (length: number | undefined) =>
  `--b\r\nContent-Type: application/dicom\r\n${length === undefined ? '' : `Content-Length: ${length}\r\n`}\r\n`;
const megabyte = Buffer.alloc(1_000_000, 7);

describe('DW-13 an archive that dies in the middle', () => {
  const deaths: [string, (response: ServerResponse) => void][] = [
    [
      'within a part whose length is known',
      (response) => {
        response.writeHead(200, multipart).write(part(3_000_000));
        response.write(megabyte, () => response.destroy());
      },
    ],
    [
      'within a part, but with a well-formed end',
      (response) => {
        response.writeHead(200, multipart).end(Buffer.concat([Buffer.from(part(3_000_000)), megabyte]));
      },
    ],
    [
      'within a part whose length is not known',
      (response) => {
        response.writeHead(200, multipart).end(Buffer.concat([Buffer.from(part(undefined)), megabyte]));
      },
    ],
    [
      'after a whole part, before the next',
      (response) => {
        response
          .writeHead(200, multipart)
          .end(Buffer.concat([Buffer.from(part(1_000_000)), megabyte, Buffer.from('\r\n--b\r\n')]));
      },
    ],
    [
      'before the closing delimiter is complete',
      (response) => {
        response
          .writeHead(200, multipart)
          .end(Buffer.concat([Buffer.from(part(1_000_000)), megabyte, Buffer.from('\r\n--b')]));
      },
    ],
    [
      'by a reset',
      (response) => {
        response.writeHead(200, { ...multipart, connection: 'close' }).write(part(3_000_000));
        response.write(megabyte, () => setTimeout(() => response.socket!.resetAndDestroy(), 50));
      },
    ],
  ];
  it.each(deaths)('%s: the connection is cut, and the body has no well-formed end', async (_name, die) => {
    const upstream = await archive((_request, response) => die(response));
    const get = await gateway(images(upstream.url));
    const answer = await get(`/studies/${STUDY}`);
    expect(answer.statusCode).toBe(200);
    await expect(answer.body.arrayBuffer()).rejects.toThrow(/EOF|terminated|closed|aborted/i);
  });

  it('answers a status if it dies before the first part', async () => {
    for (const [die, status, error] of [
      [(response: ServerResponse) => response.writeHead(200, multipart).end('--b\r\n'), 502, 'bad_gateway'],
      [(response: ServerResponse) => response.writeHead(200, multipart).end('nonsense'), 502, 'bad_gateway'],
      [(response: ServerResponse) => response.socket!.destroy(), 503, 'unavailable'],
      [(response: ServerResponse) => response.socket!.resetAndDestroy(), 503, 'unavailable'],
    ] as const) {
      const upstream = await archive((_request, response) => die(response));
      const get = await gateway(images(upstream.url));
      const answer = await get(`/studies/${STUDY}`);
      expect([answer.statusCode, answer.headers['retry-after']]).toEqual([
        status,
        status === 503 ? '5' : undefined,
      ]);
      expect(await answer.body.json()).toMatchObject({ error });
    }
  });

  it('cuts a single object, too', async () => {
    const object = Buffer.concat([...smallObjects({ studyUid: STUDY, patientId: 'MRN' }), megabyte]);
    const upstream = await archive((_request, response) =>
      response.writeHead(200, multipart).end(Buffer.concat([Buffer.from(part(3_000_000)), object])),
    );
    const get = await gateway(images(upstream.url));
    const answer = await get(`/studies/${STUDY}/series/${STUDY}.1/instances/${STUDY}.1.1`, {
      accept: 'application/dicom; transfer-syntax=*',
    });
    expect(answer.statusCode).toBe(200);
    await expect(answer.body.arrayBuffer()).rejects.toThrow();
  });
});

describe('status of the archive → status for the caller', () => {
  it.each([
    [400, 502],
    [401, 502],
    [403, 502],
    [404, 404],
    [406, 406],
    [429, 503],
    [500, 502],
    [502, 503],
    [503, 503],
    [504, 503],
  ])('%i → %i', async (status, expected) => {
    const upstream = await archive((_request, response) =>
      response
        .writeHead(status, { 'retry-after': '7', 'www-authenticate': 'Basic realm=internal' })
        .end('secret words'),
    );
    const get = await gateway(images(upstream.url));
    const answer = await get(`/studies/${STUDY}`);
    const body = await answer.body.text();
    expect(answer.statusCode).toBe(expected);
    expect(body).not.toContain('secret');
    expect(answer.headers['www-authenticate']).toBeUndefined();
    if (expected === 503) expect(answer.headers['retry-after']).toBe('7');
  });

  it.each([
    ['no JSON', 'text', 502],
    ['no list', '{}', 502],
    ['nothing', '', 502],
    ['rows of others', JSON.stringify([{ ...rows[0], '00100020': { vr: 'LO', Value: ['mrn'] } }]), 200],
  ])('an archive that answers a search with %s', async (_name, body, expected) => {
    const upstream = await startUpstream((_request, response) =>
      response.writeHead(200, { 'content-type': 'application/dicom+json' }).end(body),
    );
    closing.push(() => upstream.close());
    const get = await gateway(images(upstream.url));
    const answer = await get('/studies');
    expect(answer.statusCode).toBe(expected);
    if (expected === 200) expect(await answer.body.json()).toEqual([]);
  });

  it('DW-26 does not give an object that was not asked for, or is of another patient', async () => {
    let patientId = 'MRN';
    const upstream = await archive((_request, response) =>
      response
        .writeHead(200, multipart)
        .end(
          Buffer.concat([
            Buffer.from('--b\r\nContent-Type: application/dicom\r\n\r\n'),
            ...smallObjects({ studyUid: STUDY, patientId }),
            Buffer.from('\r\n--b--\r\n'),
          ]),
        ),
    );
    const get = await gateway(images(upstream.url));
    const status = async (instance: string) => {
      const path = `/studies/${STUDY}/series/${STUDY}.1/instances/${instance}`;
      const answer = await get(path, { accept: 'application/dicom; transfer-syntax=*' });
      await answer.body.dump();
      return answer.statusCode;
    };
    expect([await status(`${STUDY}.1.1`), await status(`${STUDY}.1.2`)]).toEqual([200, 502]);
    patientId = 'ANOTHER';
    expect(await status(`${STUDY}.1.1`)).toBe(502);
  });

  it('DW-21 a search lists each object once, and only under UIDs that can be retrieved', async () => {
    const row = (studyUid: unknown, more: object = {}) => ({
      '00100020': { vr: 'LO', Value: ['MRN'] },
      '0020000D': { vr: 'UI', Value: [studyUid] },
      ...more,
    });
    const series = (uid: string, studyUid = STUDY) =>
      row(studyUid, { '0020000E': { vr: 'UI', Value: [uid] } });
    const instance = (uid: string) => ({ ...series('1.2.3.1'), '00080018': { vr: 'UI', Value: [uid] } });
    const answers: Record<string, object[]> = {
      '/studies': [
        row('1.2.*'),
        ...Array<object>(5).fill(row(STUDY)),
        row(null),
        row('..'),
        row(`1.${'2'.repeat(64)}`),
      ],
      [`/studies/${STUDY}/series`]: [
        series('1.2.3.1'),
        series('1.2.3.1'),
        series('1.*'),
        series('1.2.4.1', '1.2.4'),
      ],
      [`/studies/${STUDY}/series/1.2.3.1/instances`]: [
        instance('1.5'),
        instance('1.5'),
        instance('1.5?'),
        instance('1.6'),
      ],
    };
    const upstream = await startUpstream(({ url }, response) => {
      const body = JSON.stringify(answers[url!.split('?')[0]!]);
      response.writeHead(200, { 'content-type': 'application/dicom+json' }).end(body);
    });
    closing.push(() => upstream.close());
    const get = await gateway(images(upstream.url));
    const uids = async (path: string, tag: string) => {
      const found = (await (await get(path)).body.json()) as Record<string, { Value: string[] }>[];
      return found.map((row) => row[tag]!.Value[0]);
    };
    expect(await uids('/studies', '0020000D')).toEqual([STUDY]);
    expect(await uids('/studies?limit=2', '0020000D')).toEqual([STUDY]);
    expect(await uids(`/studies/${STUDY}/series`, '0020000E')).toEqual(['1.2.3.1']);
    expect(await uids(`/studies/${STUDY}/series/1.2.3.1/instances`, '00080018')).toEqual(['1.5', '1.6']);
  });

  it('answers 404 for a study UID that two patients share', async () => {
    const both = [rows[0], { ...rows[0], '00100020': { vr: 'LO', Value: ['OTHER'] } }];
    const upstream = await startUpstream((_request, response) =>
      response.writeHead(200, { 'content-type': 'application/dicom+json' }).end(JSON.stringify(both)),
    );
    closing.push(() => upstream.close());
    const get = await gateway(images(upstream.url));
    expect((await get(`/studies/${STUDY}/metadata`)).statusCode).toBe(404);
    expect((await get(`/studies/${STUDY}`)).statusCode).toBe(404);
  });

  it('never follows or shows a host in the URLs of an archive', async () => {
    const evil = {
      ...rows[0],
      '00080018': { vr: 'UI', Value: ['2'] },
      '0020000E': { vr: 'UI', Value: ['1'] },
      '7FE00010': { vr: 'OW', BulkDataURI: 'http://169.254.169.254/latest' },
      '00091002': { vr: 'OB', BulkDataURI: '../../../../studies/9/metadata' },
      '00081190': { vr: 'UR', Value: ['http://internal/x'] },
    };
    const upstream = await archive((_request, response) =>
      response.writeHead(200, { 'content-type': 'application/dicom+json' }).end(JSON.stringify([evil])),
    );
    const get = await gateway(images(upstream.url));
    const text = await (await get(`/studies/${STUDY}/metadata`)).body.text();
    expect(text).not.toMatch(/169\.254|internal|\.\.\//);
  });
});

describe('IA-19 a slow archive', () => {
  it('answers 503 with Retry-After when patience ends, for every retrieval; the retrieval goes on', async () => {
    const ended: string[] = [];
    const upstream = await startUpstream(() => undefined);
    closing.push(() => upstream.close());
    const get = await gateway(images(upstream.url, { patience: 0.2 }));
    for (const path of ['/studies', `/studies/${STUDY}/metadata`]) {
      const answer = await get(path);
      expect(answer.statusCode).toBe(503);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      expect(await answer.body.json()).toMatchObject({ error: 'unavailable' });
    }
    const slow = await archive((_incoming, response) => response.once('close', () => ended.push('retrieve')));
    const other = await gateway(images(slow.url, { patience: 0.2 }));
    for (const tail of [
      '',
      '/metadata',
      '/series/1/instances/2/frames/1',
      '/series/1/instances/2/bulkdata/7FE00010',
    ]) {
      expect((await other(`/studies/${STUDY}${tail}`)).statusCode).toBe(503);
    }
    await delay(50);
    expect(ended).toEqual([]);
  });

  it.each([
    ['', '*/*'],
    ['', 'application/zip; transfer-syntax=*'],
    ['/series/1/instances/2/frames/1', '*/*'],
    ['/series/1/instances/2/bulkdata/00091002', '*/*'],
  ])(
    'does not give a retrieval that broke off before the identical request came (%s, %s)',
    async (tail, accept) => {
      const upstream = await archive(async (incoming, response) => {
        await delay(400);
        const type =
          incoming.url!.includes('/frames') || incoming.url!.includes('/bulk')
            ? 'application/octet-stream'
            : 'application/dicom';
        response.writeHead(200, {
          'content-type': multipart['content-type'].replace('application/dicom', type),
        });
        response.write(part(3_000_000).replace('application/dicom', type));
        for (const file of smallObjects({ studyUid: STUDY, patientId: 'MRN' })) response.write(file);
        setTimeout(() => response.destroy(), 100);
      });
      const get = await gateway(images(upstream.url, { patience: 0.2 }));
      expect((await get(`/studies/${STUDY}${tail}`, { accept })).statusCode).toBe(503);
      await delay(700);
      const { statusCode, headers, body } = await get(`/studies/${STUDY}${tail}`, { accept });
      const isCut = await body.arrayBuffer().then(
        () => false,
        () => true,
      );
      if (statusCode === 200) expect(isCut).toBe(true);
      else expect([statusCode, Number(headers['retry-after']) > 0]).toEqual([503, true]);
    },
  );

  it('IA-27 the identical request continues the retrieval that was begun', async () => {
    const upstream = await archive(async (incoming, response) => {
      await delay(400);
      const type = incoming.url!.includes('series') ? 'application/octet-stream' : 'application/dicom';
      const header = part(1000).replace('application/dicom', type);
      response.writeHead(200, {
        'content-type': multipart['content-type'].replace('application/dicom', type),
      });
      response.end(`${header}${'7'.repeat(1000)}\r\n--b--`);
    });
    const get = await gateway(images(upstream.url, { patience: 0.2 }));
    const retrievals = () => upstream.asked.filter((url) => !url.includes('?')).length;
    for (const tail of ['', '/series/1/instances/2/frames/1', '/series/1/instances/2/bulkdata/00091002']) {
      const before = retrievals();
      expect((await get(`/studies/${STUDY}${tail}`)).statusCode).toBe(503);
      await delay(400);
      const answer = await get(`/studies/${STUDY}${tail}`);
      expect(answer.statusCode).toBe(200);
      expect((await answer.body.arrayBuffer()).byteLength).toBeGreaterThanOrEqual(1000);
      expect(retrievals() - before).toBe(1);
      // What was given is not kept: a stream is read once.
      expect((await get(`/studies/${STUDY}${tail}`)).statusCode).toBe(503);
    }
  });

  it('IA-27 ends retrievals that no client comes back for, or whose client leaves before patience ends', async () => {
    let ended = 0;
    const slow = await archive((_incoming, response) => response.once('close', () => ended++));
    const get = await gateway(images(slow.url, { patience: 0.2 }));
    // The oldest kept retrievals make room for new ones.
    for (let frame = 1; frame <= 20; frame++) {
      void get(`/studies/${STUDY}/series/1/instances/2/frames/${frame}`).catch(() => undefined);
    }
    await vi.waitFor(() => expect(ended).toBe(4), { timeout: 10_000 });
    const impatient = await gateway(images(slow.url, { patience: 60 }));
    const leaving = new AbortController();
    const left = impatient(`/studies/${STUDY}`, {}, leaving.signal).catch(() => undefined);
    await vi.waitFor(() => expect(slow.asked.filter((url) => !url.includes('?'))).toHaveLength(21), 10_000);
    leaving.abort();
    await left;
    await vi.waitFor(() => expect(ended).toBe(5), { timeout: 10_000 });
  });

  it('the identical request succeeds after the archive has answered', async () => {
    const upstream = await startUpstream(async (_incoming, response) => {
      await delay(400);
      response.writeHead(200, { 'content-type': 'application/dicom+json' }).end(JSON.stringify(rows));
    });
    closing.push(() => upstream.close());
    const get = await gateway(images(upstream.url, { patience: 0.2 }));
    expect((await get('/studies')).statusCode).toBe(503);
    await delay(400);
    expect((await get('/studies')).statusCode).toBe(200);
    // The second query is about the UIDs that were listed.
    expect(upstream.asked.filter((url) => !/StudyInstanceUID=|0020000D=/.test(url))).toHaveLength(1);
  });

  it('IA-27 a stream that comes too late and is closed unread ends nothing else', async () => {
    let ended = 0;
    const late = await archive(async (_incoming, response) => {
      response.once('close', () => ended++);
      await delay(300);
      response.writeHead(200, multipart).write(Buffer.concat([Buffer.from(part(2_000_000)), megabyte]));
    });
    const get = await gateway(images(late.url, { patience: 0.1 }));
    const asked = Array.from({ length: 20 }, (_, index) =>
      get(`/studies/${STUDY}/series/1/instances/${index + 1}`, {
        accept:
          index % 2 ? 'application/zip' : 'multipart/related; type="application/dicom"; transfer-syntax=*',
      }),
    );
    expect((await Promise.all(asked)).map(({ statusCode }) => statusCode)).toEqual(Array(20).fill(503));
    await delay(400);
    const served = closing.pop()!;
    await served();
    await vi.waitFor(() => expect(ended).toBe(20), { timeout: 10_000 });
  });

  it('patience is for the whole request: the time of the search is not available to the retrieval', async () => {
    const upstream = await startUpstream(async ({ url }, response) => {
      if (!url!.startsWith('/studies?')) return;
      await delay(700);
      response.writeHead(200, { 'content-type': 'application/dicom+json' }).end(JSON.stringify(rows));
    });
    closing.push(() => upstream.close());
    const get = await gateway(images(upstream.url, { patience: 1 }));
    const refused = async () => {
      const answer = await get(`/studies/${STUDY}`);
      expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1']);
      await answer.body.dump();
    };
    expect(await timeAwake(refused)).toBeLessThan(1500);
  });

  it('a slow stream is not cut by patience', async () => {
    const upstream = await archive(async (_request, response) => {
      response.writeHead(200, multipart).write(Buffer.concat([Buffer.from(part(2_000_000)), megabyte]));
      await delay(500);
      response.end(Buffer.concat([megabyte, Buffer.from('\r\n--b--')]));
    });
    const get = await gateway(images(upstream.url, { patience: 0.2 }));
    const answer = await get(`/studies/${STUDY}`);
    expect((await answer.body.arrayBuffer()).byteLength).toBeGreaterThan(2_000_000);
  });
});

it('DW-15 cancels upstream when the client leaves, and reads no faster than the client', async () => {
  let sent = 0;
  const gone = new Promise<void>((resolve) => {
    void archive(async (_request, response) => {
      const closed = new Promise<void>((done) => response.once('close', done));
      void closed.then(resolve);
      response.writeHead(200, multipart).write(part(2_000_000_000));
      while (!response.destroyed && sent < 500) {
        sent++;
        if (!response.write(megabyte)) await Promise.race([once(response, 'drain'), closed]);
      }
    }).then(async (upstream) => {
      const get = await gateway(images(upstream.url));
      const answer = await get(`/studies/${STUDY}`);
      await once(answer.body, 'readable');
      await delay(300);
      answer.body.on('error', () => undefined).destroy();
    });
  });
  await gone;
  // Only what fits into the socket buffers on the way.
  expect(sent).toBeLessThan(60);
});

describe('DW-15 authentication at the archive', () => {
  it.each([
    ['open', { type: 'open' }, undefined],
    [
      'http-basic',
      { type: 'http-basic', username: 'u', password: 'pä:s' },
      `Basic ${Buffer.from('u:pä:s').toString('base64')}`,
    ],
    ['bearer', { type: 'bearer', token: 'static' }, 'Bearer static'],
  ])('%s', async (_name, authentication, expected) => {
    const sent: (string | undefined)[] = [];
    const upstream = await startUpstream(({ headers }, response) => {
      sent.push(headers.authorization);
      response.writeHead(200).end('[]');
    });
    closing.push(() => upstream.close());
    const get = await gateway(images(upstream.url, { authentication }));
    await get('/studies');
    expect(sent).toEqual([expected]);
  });

  it('oauth2: one token for all requests until it expires, a new one when it is refused', async () => {
    let now = 1000;
    let issued = 0;
    let refuse = false;
    const upstream = await startUpstream((incoming, response) => {
      if (incoming.url === '/token') {
        issued++;
        return response.writeHead(200).end(JSON.stringify({ access_token: `t${issued}`, expires_in: 300 }));
      }
      const bad = refuse || incoming.headers.authorization !== `Bearer t${issued}`;
      refuse = false;
      return bad ? response.writeHead(401).end() : response.writeHead(200).end(JSON.stringify(rows));
    });
    closing.push(() => upstream.close());
    const authentication = {
      type: 'oauth2',
      tokenUrl: `${upstream.url}/token`,
      client_id: 'c',
      client_secret: 's',
    };
    const get = await gateway(images(upstream.url, { authentication }), () => now);
    const search = async (limit: number) => (await get(`/studies?limit=${limit}`)).statusCode;
    expect(await Promise.all([search(1), search(2), search(3)])).toEqual([200, 200, 200]);
    expect(issued).toBe(1);
    now += 280;
    expect(await search(4)).toBe(200);
    expect(issued).toBe(2);
    refuse = true;
    expect(await search(5)).toBe(200);
    expect(issued).toBe(3);
  });
});

describeWithSharedData('a real Orthanc', () => {
  it('answers 503 while it is frozen or down, and recovers', async () => {
    const ct = sharedDicomFiles().filter(({ file }) => file.startsWith('ct-head-ge/'));
    const orthanc = await startOrthanc({ files: ct.map(({ file }) => sharedDataPath('dicom', file)) });
    closing.push(() => orthanc.stop());
    const served = await testSubgraph([testTenant(orthancImages(orthanc, { patience: 1 }))], {
      own: testAccess([patient('own', ct[0]!.patientId!)]),
    });
    closing.push(() => served.close());
    const status = async (path: string) => {
      served.subgraph.invalidate();
      const answer = await served.app.inject({
        url: `/test/dicomweb${path}`,
        headers: { authorization: 'Bearer own' },
      });
      return [answer.statusCode, answer.headers['retry-after'] !== undefined];
    };
    const study = `/studies/${ct[0]!.studyUid}`;
    expect(await status('/studies')).toEqual([200, false]);
    // Orthanc closes a kept connection after a second; the next request must not notice.
    for (const pause of [900, 1000, 1100, 1300]) {
      await delay(pause);
      expect(await status(study)).toEqual([200, false]);
    }
    await orthanc.freeze();
    expect(await status('/studies')).toEqual([503, true]);
    expect(await status(study)).toEqual([503, true]);
    orthanc.thaw();
    const answers = async () => expect(await status('/studies')).toEqual([200, false]);
    await vi.waitFor(answers, 5000);
    await orthanc.kill();
    expect(await status('/studies')).toEqual([503, true]);
    expect(await status(study)).toEqual([503, true]);
    await orthanc.restart();
    await vi.waitFor(answers, 5000);
    expect(await status(study)).toEqual([200, false]);
  });

  it('cuts the connection if it is killed in the middle of a study', async () => {
    const ct = sharedDicomFiles().filter(({ file }) => file.startsWith('ct-head-ge/'));
    const orthanc = await startOrthanc({ files: ct.map(({ file }) => sharedDataPath('dicom', file)) });
    closing.push(() => orthanc.stop());
    const served = await testSubgraph([testTenant(orthancImages(orthanc))], {
      own: testAccess([patient('own', ct[0]!.patientId!)]),
    });
    closing.push(() => served.close());
    const url = await served.app.listen({ port: 0, host: '127.0.0.1' });
    const answer = await request(`${url}/test/dicomweb/studies/${ct[0]!.studyUid}`, {
      headers: { authorization: 'Bearer own' },
    });
    await once(answer.body, 'readable');
    await orthanc.kill();
    await expect(answer.body.arrayBuffer()).rejects.toThrow();
  });
});
