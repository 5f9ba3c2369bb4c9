import { onMount, untrack } from 'svelte';
import { isAnswer, type TabStorage } from '../state/sign-in/smart-answer.ts';
import { waitingFor } from './answer.ts';
import { EXAMPLES, variablesOf, type Example } from './examples/examples.ts';
import type { QueryEditor } from './graphiql/query-editor.ts';
import type { PageFacts } from './page-facts.ts';
import type { Access } from './sign-in/access.svelte.ts';
import { ANALYST_SCOPE } from './sign-in/scopes.ts';
import type { Workbench } from './workbench.svelte.ts';

/** In the tab: the page has left for the sign-in of an analyst by itself. */
const KEY = 'playground-first-look';
/** Milliseconds after which a demonstration whose data are being made is asked again. */
const AGAIN = 2000;
/** Patients with a diagnosis, and the number of their studies. */
const QUESTION = EXAMPLES.find(({ id }) => id === 'diagnosis-and-ct')!;

/**
 * Finishes a sign-in that the page comes back from. Leads an analyst who comes by one click, with `?analyst`, to a first
 * answer: signs in, and then asks a question. While the data are being made, the answer says how far they are, and the
 * question is asked again. Call it while a component begins.
 * @param editorOf returns the editor when it is there
 * @param show puts a query into it, with its variables and the example that it is
 */
export function firstLook(
  { page, facts, storage }: { page: URL; facts: PageFacts; storage: TabStorage },
  { access, workbench }: { access: Access; workbench: Workbench },
  editorOf: () => Pick<QueryEditor, 'run'> | undefined,
  show: (query: string, variables: string, of: Example) => void,
): void {
  const comes = facts.analyst !== undefined && page.searchParams.has('analyst');
  let looks = isAnswer(page) && storage.getItem(KEY) !== null;
  storage.removeItem(KEY);
  if (comes) storage.setItem(KEY, 'analyst');
  onMount(() => void (comes ? access.signIn(ANALYST_SCOPE) : access.open(page)));
  let hasAsked = false;
  $effect(() => {
    const editor = editorOf();
    if (!looks || hasAsked || !editor || !access.granted) return;
    hasAsked = true;
    show(QUESTION.query, variablesOf(QUESTION, undefined), QUESTION);
    editor.run();
  });
  $effect(() => {
    const { answer } = workbench;
    if (!looks || answer === undefined) return;
    looks = answer.status === 503;
    workbench.waiting = looks ? waitingFor(answer.json?.errors?.[0]?.message) : '';
    if (!looks) return;
    const timer = setTimeout(() => untrack(editorOf)?.run(), AGAIN);
    return () => clearTimeout(timer);
  });
}
