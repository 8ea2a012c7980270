import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerUpstream, upstreamOf } from '../../../apps/sandbox/src/upstreams.js';
import { type ReplayUpstream, startReplayUpstream } from '../../conformance/replay-upstream.js';
import type { ProductOptions } from '../../harness/index.js';

/** The credential of a tenant's own that gets what was recorded; every other one gets the sandbox. */
export const RECORDED = 'sk-of-recorded-answers';

const SEED = 20_261_121;
const PROVIDERS = [
  ...['openai', 'anthropic', 'openrouter', 'gemini', 'elevenlabs', 'assemblyai'],
  ...['telegram', 'composio'],
];
/** Longer than a gateway keeps its connections, so that none is just closing when it writes. */
const KEEP_ALIVE_MS = 60_000;

/** All providers at one address, so that one product is enough for all stories. */
export interface Outside {
  url: string;
  upstreams: NonNullable<ProductOptions['upstreams']>;
  replay: ReplayUpstream;
  /** Requests so far whose path ends like this. */
  asked(ending: string): number;
  stop(): Promise<void>;
}

export async function startOutside(): Promise<Outside> {
  const replay = await startReplayUpstream(SEED);
  const paths: string[] = [];
  const server = http.createServer((request, response) => {
    const { method, url = '', headers } = request;
    paths.push(url);
    const told = upstreamOf(url, headers);
    if (isForReplay(request))
      request.pipe(
        http.request(replay.url + url, { method, headers, agent: false }, (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        }),
      );
    else if (told) answerUpstream(request, response, told);
    else response.writeHead(404).end();
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    upstreams: Object.fromEntries(PROVIDERS.map((slug) => [slug, url])),
    replay,
    asked: (ending) => paths.filter((path) => path.endsWith(ending)).length,
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await replay.stop();
    },
  };
}

/** The credential stands in a header, or in the path. */
function isForReplay({ url = '', rawHeaders }: IncomingMessage): boolean {
  return url.includes(RECORDED) || rawHeaders.some((text) => text.includes(RECORDED));
}
