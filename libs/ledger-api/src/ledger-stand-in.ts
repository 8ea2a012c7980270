import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ReserveAnswer, ReserveCommand } from './schemas.js';

export interface Asked {
  path: string;
  authorization: string | undefined;
  body: string;
}

export type Reply = { status: number; body: unknown } | 'cut' | 'hang';

/** A ledger for specs of its client: a real server, whose answers the spec decides. */
export class LedgerStandIn {
  readonly asked: Asked[] = [];
  inFlight = 0;
  mostInFlight = 0;
  /** `cut`: the connection ends without an answer; `hang`: nothing comes back. */
  answer: (asked: Asked) => Reply | Promise<Reply> = openAll;
  private server: Server;

  private constructor() {
    this.server = createServer(async (request, response) => {
      this.inFlight += 1;
      this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
      const { url = '', headers } = request;
      const seen = { path: url, authorization: headers.authorization, body: await bodyOf(request) };
      this.asked.push(seen);
      const given = await this.answer(seen);
      this.inFlight -= 1;
      if (given === 'hang') return;
      if (given === 'cut') return request.socket.destroy();
      response
        .writeHead(given.status, { 'content-type': 'application/json' })
        .end(JSON.stringify(given.body));
    });
  }

  static async start(): Promise<LedgerStandIn> {
    const ledger = new LedgerStandIn();
    await new Promise<void>((resolve) => ledger.server.listen(0, '127.0.0.1', resolve));
    return ledger;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** What was asked on one route. */
  on(path: string): Asked[] {
    return this.asked.filter((asked) => asked.path === path);
  }

  /** Connections that are open now. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    );
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Opens every hold that is asked for, and as the answer to a beat knows nothing. */
export function openAll({ path, body }: Asked): Reply {
  if (path !== '/internal/reserve')
    return { status: 200, body: { marks: {}, consumed: {}, owners: {}, adopted: false } };
  return answersTo(body, ({ hold_id }) => ({
    status: 'open',
    hold_id,
    reserved_at: '2026-11-21T10:00:00.000Z',
    rate_version: 1,
  }));
}

/** Answers each command of a reserve request. */
export function answersTo(body: string, answer: (command: ReserveCommand) => ReserveAnswer): Reply {
  const { commands } = JSON.parse(body) as { commands: ReserveCommand[] };
  return { status: 200, body: { answers: commands.map(answer) } };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
