/** All attributes of the image that is shown, as its file has them. */
import ListTree from '@lucide/svelte/icons/list-tree';
import { m } from '../../messages/compiled/messages.js';
import type { Feature } from '../../ui/feature.ts';
import TagsPanel from './TagsPanel.svelte';

export const tags: Feature = {
  panel: {
    id: 'tags',
    name: m.tags,
    command: { name: m.commandTags, key: 'g' },
    icon: ListTree,
    available: ({ workspace }) => workspace.active.instances.length > 0,
    component: TagsPanel,
  },
};
