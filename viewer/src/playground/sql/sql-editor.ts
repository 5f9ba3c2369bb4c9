/** Monaco for SQL, on a part of the page: the editor that GraphiQL has too. It is loaded with the tab. */
import 'graphiql/setup-workers/vite';
import 'monaco-editor/esm/vs/editor/edcore.main.js';
import 'monaco-editor/esm/vs/basic-languages/sql/sql.contribution.js';
import * as monaco from 'monaco-editor/esm/vs/editor/editor.api.js';
import { suggestionsAt, type Suggestion } from './statement.ts';
import type { SqlTable } from './tables.ts';

export interface SqlEditorOptions {
  text: string;
  /** Tables that are known by now. */
  tables: () => readonly SqlTable[];
  onedit: (text: string) => void;
  onrun: () => void;
}

export interface SqlEditor {
  setText(text: string): void;
  /** Writes a name at the cursor. */
  insert(text: string): void;
  /** Marks a line as wrong; undefined takes the mark away. */
  mark(wrong: { line: number; message: string } | undefined): void;
  close(): void;
}

const KINDS: Readonly<Record<Suggestion['kind'], monaco.languages.CompletionItemKind>> = {
  table: monaco.languages.CompletionItemKind.Struct,
  column: monaco.languages.CompletionItemKind.Field,
  keyword: monaco.languages.CompletionItemKind.Keyword,
};

/** Opens an editor in an element. */
export function openSqlEditor(element: HTMLElement, options: SqlEditorOptions): SqlEditor {
  const model = monaco.editor.createModel(options.text, 'sql');
  const editor = monaco.editor.create(element, {
    model,
    automaticLayout: true,
    minimap: { enabled: false },
    scrollBeyondLastLine: false,
    fontSize: 15,
    wordWrap: 'on',
    quickSuggestions: true,
    fixedOverflowWidgets: true,
    ariaLabel: 'Statement of SQL',
  });
  const clear = () => monaco.editor.setModelMarkers(model, 'sql-run', []);
  editor.onDidChangeModelContent(() => {
    clear();
    options.onedit(model.getValue());
  });
  // The tabulator leaves the editor, as every other field; it takes a suggestion that is shown.
  editor.onKeyDown((event) => {
    const isSuggesting = element.querySelector('.suggest-widget.visible');
    if (event.keyCode === monaco.KeyCode.Tab && !isSuggesting) event.stopPropagation();
  });
  editor.addAction({
    id: 'run-sql',
    label: 'Run the statement',
    keybindings: [monaco.KeyMod.CtrlCmd | monaco.KeyCode.Enter],
    run: () => options.onrun(),
  });
  const completion = completeWith(model, options.tables);
  return {
    setText: (text) => model.setValue(text),
    insert(text) {
      editor.executeEdits('tables', [{ range: editor.getSelection()!, text, forceMoveMarkers: true }]);
      editor.focus();
    },
    mark(wrong) {
      clear();
      if (!wrong) return;
      const line = Math.min(wrong.line, model.getLineCount());
      const range = {
        startLineNumber: line,
        endLineNumber: line,
        startColumn: 1,
        endColumn: model.getLineMaxColumn(line),
      };
      const { message } = wrong;
      monaco.editor.setModelMarkers(model, 'sql-run', [
        { ...range, message, severity: monaco.MarkerSeverity.Error },
      ]);
      editor.revealLineInCenterIfOutsideViewport(line);
    },
    close() {
      completion.dispose();
      editor.dispose();
      model.dispose();
    },
  };
}

function completeWith(
  model: monaco.editor.ITextModel,
  tables: () => readonly SqlTable[],
): monaco.IDisposable {
  return monaco.languages.registerCompletionItemProvider('sql', {
    triggerCharacters: ['.'],
    provideCompletionItems(asked, position) {
      if (asked !== model) return { suggestions: [] };
      const { startColumn, endColumn } = model.getWordUntilPosition(position);
      const range = {
        startLineNumber: position.lineNumber,
        endLineNumber: position.lineNumber,
        startColumn,
        endColumn,
      };
      const found = suggestionsAt(model.getValue(), model.getOffsetAt(position), tables());
      return {
        // After one letter words of SQL are missing: the next one asks again.
        incomplete: endColumn - startColumn === 1,
        suggestions: found.map(({ name, kind, detail }, at) => ({
          label: name,
          kind: KINDS[kind],
          insertText: name,
          detail,
          range,
          sortText: String(at).padStart(6, '0'),
        })),
      };
    },
  });
}
