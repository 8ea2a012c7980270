import type http from 'node:http';
import type { Sent } from '../memory.proxy-client.js';

/** What is billed: quantities by meter, as the lines of an event say them. */
export type Lines = Readonly<Record<string, string | number>>;

/** Nothing is billed yet: a job has begun. */
export interface JobBegun {
  /** What was counted of the answer, and stands where no report of the job comes; null: nothing does. */
  job: Lines | null;
}

/** What follows from what has come of an answer. */
export type Owed = Lines | JobBegun;

/** The parts of an answer between which a call can end, and what is charged for what has come. */
export interface Scene {
  request: Sent & { path: string };
  type: string;
  headers?: http.OutgoingHttpHeaders;
  /** The first part, the middle, the usage report, what follows it. Empty: this answer has no such part. */
  parts: readonly [string, string, string, string];
  /** Lower bounds after the headers, the first part and the middle. */
  counted: readonly [Owed, Owed, Owed];
  /** What the report says. */
  reported: Owed;
  /** Micros, where the provider names the cost; else every unit costs 12. */
  cost?: number;
  /** The usage report ends the answer for the client too. */
  endsWithReport?: true;
  /** The report is known with the head: nothing is counted, and nothing is read on for it. */
  atHead?: true;
  /** How the cost of the whole answer is known; without a client `exact` is `drained`. */
  whole?: 'estimated' | 'header';
  /** Another report may come behind it, so that only the end of the answer makes it exact. */
  openEnded?: true;
  /** The client gets a shape of ours, made of the whole answer: nothing of it before that. */
  isOwn?: true;
}

export type Scenes = Readonly<Record<string, Scene>>;

export const JSON_TYPE = 'application/json';
export const STREAM_TYPE = 'text/event-stream';
export const NOTHING: Lines = {};
export const UNCOUNTED: Scene['counted'] = [NOTHING, NOTHING, NOTHING];

/** Of what is known with the head of an answer, however much of it comes. */
export const KNOWN_AT_HEAD = {
  counted: UNCOUNTED,
  atHead: true,
  whole: 'header',
  endsWithReport: true,
} as const;

export const SOUND: Scene['parts'] = ['a'.repeat(64), 'b'.repeat(64), 'c'.repeat(64), ''];

const BOUNDARY = 'exit-points';

/** @param path behind `/proxy`. */
export function post(path: string, body: object) {
  return { path: `/proxy${path}`, body: JSON.stringify(body) };
}

/** Takes the fields of a form; the model behind the file. */
export function form(path: string, fields: Record<string, string>, file = 'file') {
  const parts = Object.entries({ [file]: 'sound', ...fields }).map(
    ([name, value]) =>
      `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"${name === file ? '; filename="a.mp3"' : ''}\r\n\r\n${value}\r\n`,
  );
  return {
    path: `/proxy${path}`,
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
    body: `${parts.join('')}--${BOUNDARY}--\r\n`,
  };
}

/** The scenes of a provider, from the file that is named after it. Rejects where there is none. */
export async function scenesOf(slug: string): Promise<Scenes> {
  const { SCENES } = (await import(`./memory.${slug}.contract.js`)) as { SCENES: Scenes };
  return SCENES;
}
