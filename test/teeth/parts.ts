// Every hard part of the packet code. A new one goes into the file of its group, or begins a group of its own.
import type { Part } from './part.ts';
import { BRIDGE } from './parts/bridge.ts';

export const PARTS: readonly Part[] = [...BRIDGE];
