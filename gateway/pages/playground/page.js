// The playground's script. A token stays in its field. During a sign-in, the session storage of this tab keeps the launch
// and the text of the other fields, and nothing else.
const ids = ['query', 'variables', 'token', 'run', 'out', 'sign-in', 'status'];
const [query, variables, token, run, out, signIn, status] = ids.map((id) => document.getElementById(id));

const CLIENT = 'playground';
const SCOPE = 'launch/patient patient/*.rs';
const here = location.origin + location.pathname;

run.onclick = async () => {
  out.textContent = '…';
  const headers = { 'content-type': 'application/json' };
  if (token?.value) headers.authorization = `Bearer ${token.value.trim()}`;
  try {
    const body = JSON.stringify({ query: query.value, variables: JSON.parse(variables.value || '{}') });
    const answer = await fetch('graphql', { method: 'POST', headers, body });
    out.textContent = `${answer.status}\n${JSON.stringify(await answer.json(), null, 2)}`;
  } catch (error) {
    out.textContent = String(error);
  }
};

const showError = (error) => (status.textContent = error.message);
const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

async function smartConfiguration() {
  const answer = await fetch('fhir/.well-known/smart-configuration');
  if (!answer.ok) throw new Error(`The server did not say how to sign in (${answer.status}).`);
  return answer.json();
}

/** Starts a standalone launch (SMART App Launch 2.2 §2.3) with PKCE (RFC 7636). */
async function begin() {
  const { authorization_endpoint: endpoint } = await smartConfiguration();
  const [state, verifier] = [random(), random()];
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  const url = new URL(endpoint);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: CLIENT,
    redirect_uri: here,
    scope: SCOPE,
    state,
    aud: new URL('fhir', here).href,
    code_challenge: base64url(digest),
    code_challenge_method: 'S256',
  });
  sessionStorage.setItem(state, JSON.stringify({ verifier, query: query.value, variables: variables.value }));
  location.assign(url);
}

/** Exchanges the code in the URL for a token, when the browser comes back from the sign-in. */
async function end() {
  const answer = new URLSearchParams(location.search);
  const state = answer.get('state');
  if (state === null) return;
  // The code works only once and must not stay in the history.
  history.replaceState(null, '', here);
  const kept = sessionStorage.getItem(state);
  sessionStorage.removeItem(state);
  if (kept === null) throw new Error('This sign-in was not begun in this tab. Please sign in again.');
  const pending = JSON.parse(kept);
  [query.value, variables.value] = [pending.query, pending.variables];
  const { issuer, token_endpoint: endpoint } = await smartConfiguration();
  // RFC 9207 §2.4: refuses an answer of another server.
  if (answer.get('iss') !== issuer) throw new Error('Another server answered. Please sign in again.');
  if (answer.has('error')) throw new Error(answer.get('error_description') ?? answer.get('error'));
  const response = await fetch(endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: answer.get('code'),
      redirect_uri: here,
      client_id: CLIENT,
      code_verifier: pending.verifier,
    }),
  });
  const grant = await response.json();
  if (!response.ok) throw new Error(grant.error_description ?? grant.error);
  token.value = grant.access_token;
  variables.value = JSON.stringify({ ...JSON.parse(variables.value || '{}'), id: grant.patient });
  status.textContent = `Signed in: the token opens one patient’s record for ${Math.floor(grant.expires_in / 60)} minutes.`;
  run.focus();
}

if (signIn) {
  signIn.onclick = () => begin().catch(showError);
  end().catch(showError);
}
