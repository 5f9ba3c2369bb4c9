/** GraphiQL on a part of the page. It is the one part that is made with React; it is loaded after the page is there. */
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './graphiql.css';
import type { GraphQLSchema } from 'graphql';
import { createElement, useEffect } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { useGraphiQL, useGraphiQLActions, type MonacoEditor } from '@graphiql/react';
import type { Asked, GraphqlAnswer } from '../answer.ts';
import { operationName } from './operation-name.ts';

export interface Texts {
  query: string;
  variables: string;
}

export interface EditorOptions {
  /** Sends a query. */
  send(asked: Asked): Promise<GraphqlAnswer>;
  /** The storage of tabs and history. */
  storage: Storage;
  /** The query that the editor shows if nothing is kept and no link was opened. */
  first: Texts;
  /** The query of a link: a tab of its own, beside those that are kept. */
  linked: Texts | undefined;
  /** Shown over the place of the answer. */
  overAnswer: HTMLElement;
  /** @param isRun true if the tab has an answer, or waits for one */
  onEdit(texts: Texts, isRun: boolean): void;
}

/** Screens on which line numbers take too much of a line. */
const NARROW = '(max-width: 600px)';

export class QueryEditor {
  readonly #root: Root;
  readonly #options: EditorOptions;
  readonly #storage: Storage;
  #schema: GraphQLSchema | null = null;
  #isClosed = false;
  #inside: Connected | undefined;
  #isReady: () => void = () => undefined;
  /** Settles when the editor takes text. */
  readonly ready = new Promise<void>((resolve) => (this.#isReady = resolve));

  constructor(element: HTMLElement, options: EditorOptions) {
    this.#root = createRoot(element);
    this.#options = options;
    // GraphiQL still writes some moments after it was closed.
    this.#storage = writtenWhile(options.storage, () => !this.#isClosed);
    this.#render();
  }

  /** Completion, errors and documentation come from the schema. */
  setSchema(schema: GraphQLSchema): void {
    this.#schema = schema;
    this.#render();
  }

  /** Opens a tab. */
  open(query: string, variables: string): void {
    this.#inside?.actions.addTab();
    this.#inside?.setTexts({ query, variables });
  }

  /** Replaces the variables by what a function makes of the texts that are there now; undefined leaves them. */
  fillIn(variablesFor: (query: string, variables: string) => string | undefined): void {
    const { query, variables } = this.#inside?.textsNow() ?? { query: '', variables: '' };
    const filled = variablesFor(query, variables);
    if (filled !== undefined) this.#inside?.setTexts({ query, variables: filled });
  }

  run(): void {
    this.#inside?.actions.run();
  }

  /** Ends the editor. It keeps nothing after this. */
  close(): void {
    this.#isClosed = true;
    this.#root.unmount();
  }

  #render(): void {
    const { send, first, linked, overAnswer } = this.#options;
    this.#root.render(
      createElement(
        GraphiQL,
        {
          fetcher: (asked) =>
            send({
              query: asked.query,
              variables: (asked.variables ?? {}) as Record<string, unknown>,
              operationName: operationName(asked.query, asked.operationName),
            }),
          schema: this.#schema,
          storage: this.#storage,
          defaultQuery: first.query,
          // Without kept tabs it takes these alone, whatever the initial query is.
          defaultTabs: [linked ?? first],
          ...(linked && { initialQuery: linked.query, initialVariables: linked.variables }),
          plugins: [HISTORY_PLUGIN],
          isHeadersEditorEnabled: false,
          shouldPersistHeaders: false,
          showPersistHeadersSettings: false,
          defaultEditorToolsVisibility: 'variables',
        },
        createElement(Inside, { connect: this.#connect }),
        createElement(
          GraphiQL.Footer,
          null,
          createElement('div', { ref: (place) => void place?.append(overAnswer) }),
        ),
      ),
    );
  }

  readonly #connect = (inside: Connected): void => {
    // GraphiQL opens with kept tabs, but leaves the editors empty for others than the first.
    if (!this.#inside) inside.setTexts(inside.texts);
    this.#inside = inside;
    this.#options.onEdit(inside.texts, inside.isRun);
    this.#isReady();
  };
}

/** Returns a storage that takes values only while a condition holds. */
function writtenWhile(storage: Storage, isOpen: () => boolean): Storage {
  return {
    get length() {
      return storage.length;
    },
    key: (index) => storage.key(index),
    getItem: (key) => storage.getItem(key),
    setItem: (key, value) => void (isOpen() && storage.setItem(key, value)),
    removeItem: (key) => storage.removeItem(key),
    clear: () => storage.clear(),
  };
}

interface Connected {
  actions: ReturnType<typeof useGraphiQLActions>;
  /** The texts of the tab, as far as it has been drawn. */
  texts: Texts;
  /** True if the tab has an answer, or waits for one. */
  isRun: boolean;
  /** The texts of the editors, drawn or not. */
  textsNow(): Texts;
  setTexts(texts: Texts): void;
}

/** Breaks lines that are wider than their editor, and leaves them the whole width on a phone. @returns its end */
function fitLines(editors: readonly (MonacoEditor | undefined)[]): () => void {
  const narrow = matchMedia(NARROW);
  const fit = () => {
    for (const editor of editors)
      editor?.updateOptions({
        wordWrap: 'on',
        wrappingIndent: 'indent',
        lineNumbers: narrow.matches ? 'off' : 'on',
        folding: !narrow.matches,
      });
  };
  fit();
  narrow.addEventListener('change', fit);
  return () => narrow.removeEventListener('change', fit);
}

/** Shows or folds the variables, as their button does. */
function showVariables(editor: MonacoEditor | undefined, isShown: boolean): void {
  const button = editor
    ?.getContainerDomNode()
    .closest('.graphiql-editors')
    ?.querySelector<HTMLElement>('.graphiql-toggle-editor-tools');
  if (button?.getAttribute('aria-label') === `${isShown ? 'Show' : 'Hide'} editor tools`) button.click();
}

/** Draws nothing: it tells what only a component within GraphiQL can know. */
function Inside({ connect }: { connect: (inside: Connected) => void }): null {
  const actions = useGraphiQLActions();
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const tab = useGraphiQL((state) => state.tabs[state.activeTabIndex]);
  const isFetching = useGraphiQL((state) => state.isFetching);
  const theme = useGraphiQL((state) => state.theme);
  const query = tab?.query ?? '';
  const variables = tab?.variables ?? '';
  const isRun = isFetching || !!tab?.response;
  useEffect(() => {
    if (!queryEditor || !variableEditor) return;
    connect({
      actions,
      texts: { query, variables },
      isRun,
      textsNow: () => ({ query: queryEditor.getValue(), variables: variableEditor.getValue() }),
      setTexts: (next) => {
        queryEditor.setValue(next.query);
        variableEditor.setValue(next.variables);
      },
    });
  }, [actions, connect, queryEditor, variableEditor, query, variables, isRun]);
  const tabId = tab?.id;
  const needsVariables = variables.trim() !== '' || query.includes('$');
  useEffect(() => {
    // A person who empties them is not done: only another tab folds them.
    if (!needsVariables) showVariables(variableEditor, false);
  }, [variableEditor, tabId]);
  useEffect(() => {
    if (needsVariables) showVariables(variableEditor, true);
  }, [variableEditor, tabId, needsVariables]);
  useEffect(() => fitLines([queryEditor, variableEditor]), [queryEditor, variableEditor]);
  useEffect(() => {
    // The editors take the colours of the system only once.
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const follow = () => actions.setTheme(theme);
    dark.addEventListener('change', follow);
    return () => dark.removeEventListener('change', follow);
  }, [actions, theme]);
  return null;
}
