import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { startSandbox } from './sandbox.js';

/** An answer whose JSON a test looks into without ceremony. */
export type Answer = Omit<Response, 'json'> & { json(): Promise<ReturnType<typeof JSON.parse>> };

/** A sandbox that listens, and short ways to ask it. */
export interface SandboxUnderTest {
  url: string;
  close(): Promise<void>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
}

/** @param credential the headers that every call carries, unless it brings its own. */
export async function sandboxUnderTest(credential: Record<string, string>): Promise<SandboxUnderTest> {
  const app: NestFastifyApplication = await startSandbox({
    SANDBOX_PORT: 0,
    SANDBOX_HOST: '127.0.0.1',
    VENDO_LOG_LEVEL: 'silent',
  });
  const url = await app.getUrl();
  return {
    url,
    close: () => app.close(),
    post: (path, body, headers = credential) =>
      body instanceof FormData
        ? fetch(url + path, { method: 'POST', headers, body })
        : fetch(url + path, {
            method: 'POST',
            headers: { 'content-type': 'application/json', ...headers },
            body: JSON.stringify(body),
          }),
    get: (path, headers = credential) => fetch(url + path, { headers }),
  };
}

/** A form with a file of so many bytes. */
export function formOf(fields: Record<string, string>, bytes: number, field = 'file'): FormData {
  const form = new FormData();
  form.append(field, new Blob([new Uint8Array(bytes)], { type: 'audio/mpeg' }), 'sound.mp3');
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}

/** An event stream as bytes frame it: what is compared with recordings. */
export interface Framing {
  /** The line ending of all of it; null when it is mixed. */
  ending: 'LF' | 'CRLF' | null;
  comments: readonly string[];
  /** Names of events, each once, in their order. */
  names: readonly string[];
  data: readonly string[];
}

export function framingOf(text: string): Framing {
  const crlf = text.match(/\r\n/g)?.length ?? 0;
  const lf = (text.match(/\n/g)?.length ?? 0) - crlf;
  const lines = text.split(/\r?\n/);
  const after = (head: string): string[] =>
    lines.filter((line) => line.startsWith(head)).map((line) => line.slice(head.length).trim());
  return {
    ending: crlf === 0 ? 'LF' : lf === 0 ? 'CRLF' : null,
    comments: [...new Set(after(':'))],
    names: [...new Set(after('event:'))],
    data: after('data:'),
  };
}

/** The paths of all keys in a JSON value, sorted; all elements of a list count as one. */
export function keysIn(value: unknown, prefix = ''): string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap((item) => keysIn(item, `${prefix}[]`)))].sort();
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value)
    .flatMap(([key, inner]) => [`${prefix}.${key}`, ...keysIn(inner, `${prefix}.${key}`)])
    .sort();
}
