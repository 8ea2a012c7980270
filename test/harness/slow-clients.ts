import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import readline from 'node:readline';
import type { Readable, Writable } from 'node:stream';

const SCRIPT = path.join(import.meta.dirname, 'slow-clients.py');
const AT_ONCE = 20;

/** Of each answer, in slow-clients.py. */
export const ANSWER_BYTES = 8_388_608;
export const BYTES_PER_SECOND = 1_000;

/** Where slow clients and their provider stand. */
export interface Standing {
  /** By `performance.now()`. */
  atMs: number;
  /** Bytes that each client has read. */
  read: number[];
  /** Clients whose connection has ended. */
  cut: number;
  /** Bytes of each open answer that the provider has got rid of. */
  taken: number[];
  /** Answers of which the provider has got rid of everything. */
  ended: number;
}

export interface SlowRequest {
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** Clients that read 1 KB/s, and a provider of Anthropic's messages that sends as fast as it is read from; one process. */
export class SlowClients {
  private readonly answers: AsyncIterator<string>;

  private constructor(private readonly child: ChildProcessByStdio<Writable, Readable, null>) {
    // That it has ended is told by the answer that does not come.
    child.stdin.on('error', () => undefined);
    this.answers = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  static canRun(): boolean {
    return spawnSync('python3', ['-c', 'import asyncio, socket; socket.TCP_MAXSEG']).status === 0;
  }

  static start(): SlowClients {
    return new SlowClients(spawn('python3', [SCRIPT], { stdio: ['pipe', 'pipe', 'inherit'] }));
  }

  /** @returns the provider's origin. */
  async upstream(): Promise<string> {
    return (await this.ask<{ url: string }>('upstream')).url;
  }

  /** Opens so many more, and resolves with the first bytes of each, when it has read them. */
  async open(count: number, { url, headers, body }: SlowRequest): Promise<string[]> {
    const { hostname, port, host, pathname } = new URL(url);
    const lines = Object.entries({ host, ...headers, 'content-length': Buffer.byteLength(body) });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const request = `POST ${pathname} HTTP/1.1\r\n${head}\r\n${body}`;
    const order = { host: hostname, port: Number(port), request, count, at_once: AT_ONCE };
    return (await this.ask<{ heads: string[] }>('open', order)).heads;
  }

  async look(): Promise<Standing> {
    return { ...(await this.ask<Omit<Standing, 'atMs'>>('look')), atMs: performance.now() };
  }

  /** All clients break their connections off. */
  async leave(): Promise<void> {
    await this.ask('leave');
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.stdin.end();
    await exit;
  }

  /** One order after the other. */
  private async ask<Answer>(order: string, details: object = {}): Promise<Answer> {
    this.child.stdin.write(`${JSON.stringify({ order, ...details })}\n`);
    const { value, done } = await this.answers.next();
    if (done) throw new Error(`the slow clients ended when they were told to ${order}`);
    return JSON.parse(value) as Answer;
  }
}
