import FileText from '@lucide/svelte/icons/file-text';
import { m } from '../../messages/compiled/messages.js';
import type { Panel } from '../feature.ts';
import { reportsOf } from './reports-of.ts';
import ReportPanel from './ReportPanel.svelte';

export const reportPanel: Panel = {
  id: 'report',
  name: m.report,
  command: { name: m.commandReport, key: 't' },
  icon: FileText,
  available: (page) => reportsOf(page).length > 0,
  opensItself: true,
  component: ReportPanel,
};
