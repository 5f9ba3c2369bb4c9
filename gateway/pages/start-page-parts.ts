/** Style, picture and script of the start page. The page reads without the script. */

export const STYLE = `
  [hidden] { display: none !important; } ul { list-style: none; padding: 0; } h3 { font-size: 1rem; margin: 0; } small { font-weight: normal; }
  .lead { font-size: 1.125rem; margin: .5rem 0; } .picture { display: block; width: 100%; max-width: 38rem; height: auto; fill: none; stroke: currentColor; }
  .picture text { fill: currentColor; stroke: none; font-size: 12px; text-anchor: middle; }
  .ways { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); margin: 1rem 0 1.5rem; }
  .ways a { display: block; height: 100%; box-sizing: border-box; padding: .75rem 1rem; border: 2px solid var(--accent); border-radius: 12px; background: var(--soft); color: var(--ink); text-decoration: none; }
  .ways strong { display: block; font-size: 1.25rem; color: var(--accent); } .ways a:hover strong { text-decoration: underline; }
  .command { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 10rem; } .answer { max-height: 24rem; } .buttons { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; }
  button { font: inherit; padding: .5rem 1rem; min-height: 44px; border: 1px solid var(--accent); border-radius: 8px; background: var(--accent); color: var(--paper); cursor: pointer; }
  .copy { background: var(--soft); color: var(--ink); }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; } dd { margin: 0; }
  .cards { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
  .cards li { padding: .75rem 1rem; border: 1px solid var(--line); border-radius: 8px; overflow-wrap: anywhere; } .cards p { margin: .25rem 0; }
  .people { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; } summary { padding: .6rem 0; cursor: pointer; }`;

const box = (x: number, y: number, width: number, text: string) =>
  `<rect x="${x}" y="${y}" width="${width}" height="34" rx="6"/><text x="${x + width / 2}" y="${y + 21}">${text}</text>`;
const arrow = (path: string) => `<path d="${path}" marker-end="url(#head)"/>`;

/** An app, one token, the gateway, and the two systems behind it. */
export const PICTURE = `<svg class="picture" viewBox="0 0 360 106" role="img" aria-labelledby="picture">
<title id="picture">An app sends one token to the gateway. The gateway answers with the record from the FHIR server and the images from the archive.</title>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8"/></marker></defs>
${box(1, 36, 66, 'your app')}${arrow('M69 53H139')}<text x="103" y="46">one token</text>${box(142, 36, 66, 'gateway')}
${arrow('M210 46 247 24')}${box(250, 6, 109, 'record (FHIR)')}${arrow('M210 60 247 82')}${box(250, 66, 109, 'images (DICOM)')}</svg>`;

/** Id of the data block with the request. */
export const REQUEST_FACTS = 'start-page-request';

/** Copies the command, and sends the same request. Without it, the command can be selected. */
export const SCRIPT = `
const { url, init } = JSON.parse(document.getElementById('${REQUEST_FACTS}').textContent);
const part = (name) => document.querySelector('#request ' + name);
const say = (text) => { part('[role=status]').textContent = text; };
part('.buttons').hidden = false;
part('.copy').onclick = async () => {
  try {
    await navigator.clipboard.writeText(part('.command').textContent);
    say('Copied.');
  } catch {
    getSelection().selectAllChildren(part('.command'));
    say('Selected: copy it with the keyboard.');
  }
};
part('.send').onclick = async () => {
  say('Sent.');
  const began = performance.now();
  try {
    const response = await fetch(url, init);
    const text = await response.text();
    const took = Math.round(performance.now() - began);
    say('Status ' + response.status + ', ' + took + ' ms.' + (response.status === 401 ? ' The token has expired: reload this page.' : ''));
    part('.answer').textContent = JSON.stringify(JSON.parse(text), null, 2);
    part('.answer').hidden = false;
  } catch (error) {
    say('No answer: ' + error.message);
  }
};`;
