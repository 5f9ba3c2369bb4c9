import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { ServerList } from '../../src/state/browser/server-list.svelte.ts';
import { Servers } from '../../src/state/browser/servers.ts';
import type { Opened } from './open.ts';
import { choose, open, PHONE, scrollsSideways, shot, violations } from './open.ts';

const signedOut = (fakes: Opened) => void (fakes.account.phase = 'signed-out');
const rows = () =>
  page
    .getByRole('list')
    .getByRole('link')
    .elements()
    .map((link) => [link.querySelector('strong')!.textContent, link.getAttribute('href')]);
const field = (name: string) => page.getByRole('textbox', { name });
const button = (name: string | RegExp) => page.getByRole('button', { name });

/** Types a server into the form, and saves it by Enter. */
async function enter(name: string, address: string): Promise<void> {
  await field('Name').fill(name);
  await field('FHIR address').fill(address);
  await userEvent.keyboard('{Enter}');
}

test('on the sign-in page, servers are links to their addresses; the one of the address is marked', async () => {
  await open('?tenant=demo', { prepare: signedOut });
  await expect.element(page.getByRole('heading', { name: 'Servers' })).toBeVisible();
  expect(rows()).toEqual([
    ['demo', '?tenant=demo'],
    ['open', '?tenant=open'],
  ]);
  await expect.element(page.getByRole('link', { name: /demo/ })).toHaveAttribute('aria-current', 'page');
  await expect.element(page.getByRole('link', { name: /demo/ })).toHaveTextContent('you are here');
  await expect.element(page.getByRole('link', { name: /open/ })).not.toHaveAttribute('aria-current');
});

test('a server is added, changed and removed by keys alone; focus and a sentence follow', async () => {
  await open('?tenant=demo', { prepare: signedOut });
  await expect.element(button('Add a server')).toBeVisible();
  (button('Add a server').element() as HTMLElement).focus();
  await userEvent.keyboard('{Enter}');
  await expect.element(field('Name')).toHaveFocus();
  await enter('The hospital', ' https://EHR.example/r4/ ');
  await expect.element(page.getByText('The hospital is in the list.')).toBeVisible();
  await expect.element(button('Add a server')).toHaveFocus();
  expect(rows().at(-1)).toEqual(['The hospital', '?tenant=ehr.example%2Fr4']);

  await button('Change The hospital').click();
  await expect.element(field('Name')).toHaveValue('The hospital');
  await field('Client id (optional)').fill('app-7');
  await enter('Renamed', 'https://ehr.example/r4');
  await expect.element(button('Change Renamed')).toHaveFocus();
  expect(JSON.parse(localStorage.getItem('servers')!)).toEqual([
    { name: 'Renamed', fhirBase: 'https://ehr.example/r4', clientId: 'app-7' },
  ]);

  await button('Change Renamed').click();
  await button('Remove from the list').click();
  await expect.element(page.getByText('Renamed is no longer in the list.')).toBeVisible();
  await expect.element(button('Add a server')).toHaveFocus();
  expect(rows()).toHaveLength(2);
});

test('all added servers are forgotten after a question; Cancel keeps them', async () => {
  await open('?tenant=demo', {
    prepare: (fakes) => {
      signedOut(fakes);
      fakes.account.servers.keep({ name: 'One', fhirBase: 'https://one.example/r4' });
      fakes.account.servers.keep({ name: 'Two', fhirBase: 'https://two.example/r4' });
    },
  });
  await button('Forget added servers').click();
  await expect.element(page.getByText('Forget 2 added servers?')).toBeVisible();
  await button('Cancel').click();
  expect(rows()).toHaveLength(4);
  await button('Forget added servers').click();
  await button('Forget').click();
  await expect.element(page.getByText('The added servers are forgotten.')).toBeVisible();
  expect(rows()).toHaveLength(2);
  await expect.element(button('Forget added servers')).not.toBeInTheDocument();
});

describe('an entry that cannot be kept says why, in both languages, at its field', () => {
  test.each([
    ['', 'https://ehr.example/r4', 'Name', /has no name yet/, /aún no tiene nombre/],
    ['EHR', 'ehr.example', 'FHIR address', /not the address of a server/, /no es la dirección/],
    ['EHR', 'http://ehr.example/r4', 'FHIR address', /others could read the record/, /otros podrían leer/],
    [
      ...(['EHR', 'https://gateway.example/demo/fhir', 'FHIR address'] as const),
      ...([/in the list already/, /ya está en la lista/] as const),
    ],
  ])('%o at %o', async (name, address, wrong, english, spanish) => {
    await open('?tenant=demo', { prepare: signedOut });
    await button('Add a server').click();
    await enter(name, address);
    await expect.element(page.getByRole('alert')).toHaveTextContent(english);
    await expect.element(field(wrong)).toHaveFocus();
    await expect.element(field(wrong)).toHaveAttribute('aria-invalid', 'true');
    await expect.element(field(wrong)).toHaveAccessibleDescription(english);
    await userEvent.keyboard('{Escape}');
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('dialog').getByText('Español').click();
    await userEvent.keyboard('{Escape}');
    await expect.element(page.getByRole('alert')).toHaveTextContent(spanish);
  });

  test('a browser that keeps nothing', async () => {
    await open('?tenant=demo', {
      prepare: (fakes) => {
        signedOut(fakes);
        fakes.account.servers = new ServerList(new Servers({ storage: undefined }));
      },
    });
    await button('Add a server').click();
    await enter('EHR', 'https://ehr.example/r4');
    await expect.element(page.getByRole('alert')).toHaveTextContent('does not let this page keep anything');
  });
});

test('a launch by a server that is not in the list: its address is in the form to add it', async () => {
  await open('?tenant=demo', {
    prepare: (fakes) => {
      signedOut(fakes);
      fakes.account.problem = { kind: 'unknown-server', server: 'https://ehr.example/r4' };
    },
  });
  await expect
    .element(page.getByRole('alert'))
    .toHaveTextContent('ehr.example wants to open a record here, and is not in the list of servers.');
  await shot('unknown-server');
  await button('Add a server').click();
  await expect.element(field('FHIR address')).toHaveValue('https://ehr.example/r4');
  await expect.element(field('Name')).toHaveValue('');
});

test('a launch by a server that is not in the list: one button trusts it, where people can add servers', async () => {
  const unknown = (fakes: Opened) => {
    signedOut(fakes);
    fakes.account.problem = { kind: 'unknown-server', server: 'https://ehr.example/r4' };
  };
  const { account } = await open('?tenant=demo', { prepare: unknown });
  await button('Trust this server and go on').click();
  expect(account.called).toEqual(['trust']);
  await open('?tenant=demo', {
    prepare: (fakes) => {
      unknown(fakes);
      fakes.account.servers = new ServerList(new Servers({ onlyOwn: true }));
    },
  });
  await expect.element(page.getByText(`Ask those who run ${location.host}`)).toBeVisible();
  expect(page.getByRole('button', { name: /Trust|Add a server|Try again/ }).elements()).toEqual([]);
  await shot('unknown-server-fixed');
});

test('a site without a server: its tenants are not offered; with no other server the form is open', async () => {
  const nowhere = (fakes: Opened) => {
    signedOut(fakes);
    fakes.account.problem = { kind: 'no-server' };
  };
  await open('?tenant=demo', { prepare: nowhere });
  await expect.element(page.getByRole('alert')).toHaveTextContent('There is no server beside this page.');
  await expect.element(field('Name')).toHaveFocus();
  expect(rows()).toEqual([]);
  await shot('no-server');
  await open('?tenant=demo', {
    prepare: (fakes) => {
      nowhere(fakes);
      fakes.account.servers.keep({ name: 'One', fhirBase: 'https://one.example/r4' });
    },
  });
  await expect.element(button('Add a server')).toBeVisible();
  expect(rows()).toEqual([['One', '?tenant=one.example%2Fr4']]);
});

test('in the settings too, while a record is open', async () => {
  await open();
  await choose('Account', 'Settings');
  const sheet = page.getByRole('dialog', { name: 'Settings' });
  await expect.element(sheet.getByRole('link', { name: /open/ })).toBeVisible();
  await sheet.getByRole('button', { name: 'Add a server' }).click();
  await enter('The hospital', 'https://ehr.example/r4');
  await expect.element(sheet.getByRole('link', { name: /The hospital/ })).toBeVisible();
  await shot('settings-servers');
});

test('on a phone: targets of 44 px, no sideways scroll, and axe finds nothing, with the form open', async () => {
  await open('?tenant=demo', {
    size: PHONE,
    prepare: (fakes) => {
      signedOut(fakes);
      const fhirBase = `https://ehr.example.org/${'a-very-long-path-of-an-operator/'.repeat(3)}r4`;
      fakes.account.servers.keep({ name: 'The hospital of the long name', fhirBase });
    },
  });
  await button(/^Change/).click();
  await expect.element(field('Name')).toBeVisible();
  const sizes: (readonly [number, number])[] = [PHONE, [320, 640]];
  for (const size of sizes) {
    await page.viewport(...size);
    expect(scrollsSideways()).toBe(false);
    // The buttons of the page grow under a finger; this test has a mouse.
    const small = [...document.querySelectorAll('section :is(a, button, input)')].filter((one) => {
      const { width, height, right } = one.getBoundingClientRect();
      return width < 44 || height < 44 || right > size[0];
    });
    expect(small.map(({ outerHTML }) => outerHTML.slice(0, 100))).toEqual([]);
  }
  await shot('phone-servers');
  for (const theme of ['light', 'dark']) {
    document.documentElement.dataset['theme'] = theme;
    expect(await violations(), theme).toEqual([]);
  }
});
