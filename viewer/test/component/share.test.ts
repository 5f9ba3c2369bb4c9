import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { generate, correction } from 'lean-qr';
import { ShareLinks } from '../../src/data/share/share-links.ts';
import { Transport } from '../../src/data/transport.ts';
import type { SharingRules, WantedLink } from '../../src/domain/shared-link.ts';
import { share } from '../../src/features/share/share.ts';
import { open, PHONE, scrollsSideways, shot, violations, type Opened } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10&series=1.2.10.3&image=14';
const TENANT = 'https://gateway.example/demo';
/** As long as a link of the demonstration: 357 characters. */
const LINK = `https://gateway.example/share#shlink:/${'eyJ1cmwiOiJodHRwczovL2dhdGV3YXku'.repeat(10).slice(0, 319)}`;
const RULES: SharingRules = { maxDays: 30, maxUses: 20, passcode: 'required' };
const DAY = 86_400_000;

/** `/{tenant}/share` of a gateway. */
class ShareServer {
  links = [
    {
      id: 's_1',
      label: 'CT chest, 2 Feb 2026',
      expires: '2026-12-24T23:00:00.000Z',
      usesLeft: 3,
      lastOpening: { time: '2026-12-01T10:12:00.000Z', recipient: 'Dr Weiss, Kiel' },
    },
    { id: 's_2', label: 'MRI knee', expires: '2026-12-20T08:00:00.000Z', usesLeft: 0 },
  ];
  readonly asked: WantedLink[] = [];
  readonly stopped: string[] = [];
  notIncluded: readonly string[] = [];
  /** Status of the answers to a method, if not that of success. */
  readonly refuses: Record<string, number> = {};

  readonly fetch = (
    input: RequestInfo | URL,
    { method = 'GET', body }: RequestInit = {},
  ): Promise<Response> => {
    const url = String(input as URL);
    const refusal = this.refuses[method];
    if (refusal !== undefined) return Promise.resolve(new Response(null, { status: refusal }));
    if (method === 'DELETE') {
      const id = url.slice(`${TENANT}/share/`.length);
      this.stopped.push(id);
      this.links = this.links.filter((one) => one.id !== id);
      return Promise.resolve(new Response(null, { status: 204 }));
    }
    expect(url).toBe(`${TENANT}/share`);
    if (method === 'GET') return Promise.resolve(Response.json({ links: this.links }));
    const wanted = JSON.parse(body as string) as WantedLink;
    this.asked.push(wanted);
    const expires = `${wanted.expires}T23:59:59.000Z`;
    this.links.push({ id: 's_3', label: wanted.label, expires, usesLeft: wanted.uses });
    const answer = { id: 's_3', link: LINK, expires, notIncluded: this.notIncluded };
    return Promise.resolve(Response.json(answer, { status: 201 }));
  };
}

type Options = Parameters<typeof open>[1] & { rules?: SharingRules | undefined };

async function opened(options: Options = {}): Promise<ShareServer> {
  const { rules = RULES, prepare, ...rest } = options;
  const server = new ShareServer();
  const links = new ShareLinks(TENANT, new Transport([TENANT], { fetch: server.fetch as typeof fetch }));
  await open(STUDY, {
    features: [share],
    ...rest,
    prepare: (fakes) => {
      fakes.records.sharing = () => Promise.resolve(links);
      Object.assign(fakes.account, { patient: 'helen', sharing: rules });
      prepare?.(fakes);
    },
  });
  await expect.element(page.getByText(/imagen? 14\/24/)).toBeVisible();
  return server;
}

const button = (name: string) => page.getByRole('button', { name, exact: true });
const passcode = () => page.getByRole('textbox', { name: 'Passcode' });
const inDays = (days: number) => new Date(Date.now() + days * DAY).toISOString().slice(0, 10);

test('a study and its report are shared; the link is shown once, with its QR code and the passcode', async () => {
  const server = await opened();
  await button('Show to my doctor').click();
  await expect.element(page.getByRole('checkbox', { name: 'Its report: MRI of the brain' })).toBeChecked();
  await expect.element(page.getByRole('checkbox', { name: 'My allergies' })).not.toBeChecked();
  const suggested = (passcode().element() as HTMLInputElement).value;
  expect(suggested).toMatch(/^[a-km-np-z2-9]{8}$/);
  await shot('share-form');
  expect(await violations()).toEqual([]);
  await button('Make the link').click();
  await expect.element(page.getByText('Your link is ready. It is shown only now.')).toHaveFocus();
  expect(server.asked).toEqual([
    {
      studies: ['1.2.10'],
      resources: ['DiagnosticReport/report-mr'],
      expires: inDays(7),
      uses: 5,
      passcode: suggested,
      label: 'MRI brain with and without contrast, 12 Mar 2026',
    },
  ]);
  await expect.element(page.getByRole('textbox', { name: 'Link' })).toHaveValue(LINK);
  await expect.element(page.getByText(suggested, { exact: true })).toBeVisible();
  await expect.element(page.getByText('and can be opened 5 times', { exact: false })).toBeVisible();
  await expect.element(page.getByRole('img', { name: 'QR code of the link' })).toBeVisible();
  await shot('share-link');
  expect(await violations()).toEqual([]);
  // Gone with the dialog: neither in the page nor in what the browser keeps.
  await userEvent.keyboard('{Escape}');
  await expect.element(page.getByText('Your link is ready.', { exact: false })).not.toBeInTheDocument();
  const kept = JSON.stringify([
    document.body.innerHTML,
    location.href,
    { ...localStorage },
    { ...sessionStorage },
  ]);
  expect([kept.includes('shlink'), kept.includes(suggested)]).toEqual([false, false]);
  await button('Show to my doctor').click();
  await expect.element(button('Make the link')).toBeVisible();
});

test('what is drawn is the QR code of the link: each module, 4 pixels wide, and a quiet zone', async () => {
  await opened();
  await button('Show to my doctor').click();
  await button('Make the link').click();
  const picture = page.getByRole('img', { name: 'QR code of the link' });
  await expect.element(picture).toBeVisible();
  const svg = picture.element() as SVGSVGElement;
  const truth = generate(LINK, { minCorrectionLevel: correction.M, maxCorrectionLevel: correction.M });
  expect(truth.size).toBe(73);
  const side = (truth.size + 8) * 4;
  expect(svg.getBoundingClientRect().width).toBe(side);
  const image = new Image();
  const copy = svg.cloneNode(true) as SVGSVGElement;
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('height', String(side));
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  const context = new OffscreenCanvas(side, side).getContext('2d')!;
  context.fillStyle = getComputedStyle(svg).backgroundColor;
  context.fillRect(0, 0, side, side);
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, side, side);
  const wrong: string[] = [];
  for (let y = -4; y < truth.size + 4; y++)
    for (let x = -4; x < truth.size + 4; x++) {
      const at = (((y + 4) * 4 + 2) * side + (x + 4) * 4 + 2) * 4;
      if (data[at]! < 128 !== truth.get(x, y)) wrong.push(`${x} ${y}`);
    }
  expect(wrong).toEqual([]);
});

test('the person chooses: allergies, no report, one day, one time, another passcode', async () => {
  const server = await opened();
  server.notIncluded = ['AllergyIntolerance/a2', 'Patient/helen'];
  await button('Show to my doctor').click();
  await page.getByRole('checkbox', { name: 'Its report: MRI of the brain' }).click();
  await page.getByRole('checkbox', { name: 'My allergies' }).click();
  await page.getByText('1 day', { exact: true }).click();
  await page.getByText('1 time', { exact: true }).click();
  await passcode().fill('  blue whale ');
  await button('Make the link').click();
  await expect.element(page.getByText('blue whale', { exact: true })).toBeVisible();
  const [{ resources, expires, uses, passcode: sent }] = server.asked as [WantedLink];
  expect(resources).toEqual(['AllergyIntolerance/a1', 'AllergyIntolerance/a2']);
  expect([expires, uses, sent]).toEqual([inDays(1), 1, 'blue whale']);
  await expect
    .element(page.getByText('does not cover it: Penicillin, Helen Marie Castellanos.', { exact: false }))
    .toBeVisible();
});

test('a passcode of five characters makes no link', async () => {
  const server = await opened();
  await button('Show to my doctor').click();
  await passcode().fill('abcde');
  await button('Make the link').click();
  await expect.element(passcode()).toHaveFocus();
  await expect.element(passcode()).toHaveAttribute('aria-invalid', 'true');
  expect(server.asked).toEqual([]);
  await button('Suggest another').click();
  await button('Make the link').click();
  await expect.poll(() => server.asked.length).toBe(1);
});

test('the server sets the limits; where it lets the person choose, there may be no passcode', async () => {
  const server = await opened({ rules: { maxDays: 14, maxUses: 3, passcode: 'optional' } });
  await button('Show to my doctor').click();
  for (const name of ['1 day', '7 days', '14 days', '1 time', '3 times'])
    await expect.element(page.getByRole('radio', { name, exact: true })).toBeInTheDocument();
  expect(page.getByRole('radio').all()).toHaveLength(5);
  await passcode().fill('');
  await expect.element(page.getByText('Without a passcode, anybody', { exact: false })).toBeVisible();
  await button('Make the link').click();
  await expect.poll(() => server.asked).toHaveLength(1);
  expect(server.asked[0]).not.toHaveProperty('passcode');
  await expect.element(page.getByText('Tell the passcode', { exact: false })).not.toBeInTheDocument();
});

test('my links: who opened them; one is stopped after a question, by keys alone', async () => {
  const server = await opened();
  await button('Show to my doctor').click();
  await expect
    .element(page.getByText('by “Dr Weiss, Kiel” in their own words', { exact: false }))
    .toBeVisible();
  await expect.element(page.getByText('It can be opened 3 times more.', { exact: false })).toBeVisible();
  await expect.element(page.getByText('It cannot be opened again.', { exact: false })).toBeVisible();
  const stop = button('Stop sharing: CT chest, 2 Feb 2026');
  (stop.element() as HTMLElement).focus();
  await userEvent.keyboard('{Enter}');
  await expect.element(button('Stop it now')).toHaveFocus();
  await userEvent.keyboard('{Tab}{Enter}');
  await expect.element(stop).toHaveFocus();
  expect(server.stopped).toEqual([]);
  await userEvent.keyboard('{Enter}');
  await expect.element(button('Stop it now')).toHaveFocus();
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByText('The link no longer works.')).toBeVisible();
  expect(server.stopped).toEqual(['s_1']);
  await expect.element(stop).not.toBeInTheDocument();
  await expect.element(page.getByText('MRI knee')).toBeVisible();
});

test('a link that cannot be stopped stays in the list, and the page says so', async () => {
  const server = await opened();
  server.refuses['DELETE'] = 500;
  await button('Show to my doctor').click();
  await button('Stop sharing: MRI knee').click();
  await button('Stop it now').click();
  await expect.element(page.getByRole('alert')).toHaveTextContent('They are unchanged.');
  await expect.element(page.getByText('MRI knee')).toBeVisible();
  delete server.refuses['DELETE'];
  await button('Try again').click();
  await expect.element(page.getByRole('alert')).not.toBeInTheDocument();
});

test.each([
  [400, 'The link was not made. Nothing was shared; you can try again.'],
  [403, 'You are not allowed to share this, or a part of it is not shown to others. Nothing was shared.'],
  [404, 'You are not allowed to share this, or a part of it is not shown to others. Nothing was shared.'],
  [429, 'You have too many links, or the server is busy.'],
  [500, 'The link was not made. Nothing was shared; you can try again.'],
])('status %i: %s', async (status, said) => {
  const server = await opened();
  server.refuses['POST'] = status;
  await button('Show to my doctor').click();
  await button('Make the link').click();
  await expect.element(page.getByRole('alert')).toHaveTextContent(said);
  await expect.element(button('Make the link')).toBeEnabled();
});

test.each<[string, (fakes: Opened) => void]>([
  ['a server without links', ({ account }) => (account.sharing = undefined)],
  ['a clinician', ({ account }) => (account.isClinician = true)],
  ['a sign-in for no patient', ({ account }) => (account.patient = undefined)],
])('it is not offered to %s', async (_who, prepare) => {
  await opened({ prepare });
  await expect.element(button('Show to my doctor')).not.toBeInTheDocument();
});

test('on a phone nothing is wider than the screen, and the code has four pixels a module', async () => {
  await opened({ size: PHONE });
  const more = button('More');
  await more.click();
  await page.getByText('Show to my doctor', { exact: true }).last().click();
  await shot('share-form-phone');
  expect(scrollsSideways()).toBe(false);
  await button('Make the link').click();
  const picture = page.getByRole('img', { name: 'QR code of the link' });
  await expect.element(picture).toBeVisible();
  picture.element().scrollIntoView();
  expect(picture.element().getBoundingClientRect().width / 81).toBeGreaterThanOrEqual(3.9);
  expect(scrollsSideways()).toBe(false);
  expect(await violations()).toEqual([]);
  await shot('share-link-phone');
});

test('in Spanish', async () => {
  await opened({ prepare: () => localStorage.setItem('viewer.preferences', '{"language":"es"}') });
  await button('Mostrar a mi médico').click();
  await expect.element(page.getByText('Se puede abrir 3 veces más.', { exact: false })).toBeVisible();
  await button('Crear el enlace').click();
  await expect.element(page.getByText('Su enlace está listo. Solo se muestra ahora.')).toBeVisible();
  await expect.element(page.getByText('y se puede abrir 5 veces', { exact: false })).toBeVisible();
  expect(await violations()).toEqual([]);
});
