import { mount } from 'svelte';
import '../ui/classes.css';
import Playground from './Playground.svelte';
import { pageFacts } from './page-facts.ts';

mount(Playground, { target: document.getElementById('app')!, props: { facts: pageFacts() } });
