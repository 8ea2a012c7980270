import type { EventVerdict } from './provider.js';

/** The event goes on to the client, and others may follow. */
export const PASS: EventVerdict = { terminal: false, drop: false };
/** It is the last that counts. */
export const TERMINAL: EventVerdict = { terminal: true, drop: false };
/** We asked for it and the client did not. */
export const DROP: EventVerdict = { terminal: false, drop: true };
/** It is no JSON, or has no report where all have one. */
export const UNREAD: EventVerdict = { terminal: false, drop: false, unread: true };
