/**
 * Question: what does it cost to meter a stream of 100 events?
 * Compared in the same run: JSON.parse of every event, which is the least that a meter does that looks at each.
 * The tap as it stands in the gateway, terminal event and usage chunk included; OpenAI as it came in one write, and in
 * one write per event. Budget: at most 0.4 of JSON.parse, or 0.8 where each event is a write of its own.
 */
import { ChatMeter } from '../apps/gateway/src/providers/openai/openai.usage.js';
import { openTap, type TapSink } from '../apps/gateway/src/proxy/tap.js';
import { median, report } from './figures.js';

const QUESTION = 'What does it cost to meter a stream of 100 events?';
const EVENTS = 100;
const ROUNDS = 31;
const STREAMS_PER_ROUND = 200;

const head =
  '{"id":"chatcmpl-BdTqXx3mA9","object":"chat.completion.chunk","created":1763715600,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_62a23a81ef"';
const words = Array.from(
  { length: EVENTS },
  (_, index) =>
    `data: ${head},"choices":[{"index":0,"delta":{"content":" word${index}"},"logprobs":null,"finish_reason":null}],"usage":null}\n\n`,
);
const events = [
  ...words,
  `data: ${head},"choices":[],"usage":{"prompt_tokens":52,"completion_tokens":100,"total_tokens":152,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}\n\n`,
  'data: [DONE]\n\n',
].map((event) => Buffer.from(event));
const whole = Buffer.concat(events);

/** @param dropping the usage chunk was asked for by us. */
function metered(chunks: readonly Buffer[], dropping: boolean): void {
  const meter = new ChatMeter(dropping, () => 0);
  let bytes = 0;
  const sink: TapSink = {
    release: (chunk) => {
      bytes += chunk.length;
    },
    terminal: () => undefined,
    busy: () => undefined,
  };
  const answer = { contentType: 'text/event-stream', contentEncoding: undefined, contentLength: null };
  const tap = openTap({ ...answer, mayDrop: dropping }, meter, sink);
  for (const chunk of chunks) tap.push(chunk);
  tap.finish(() => undefined);
  if (meter.reading().state !== 'final' || bytes === 0) throw new Error('not metered');
}

function parsed(): void {
  let usage: unknown;
  for (const event of whole.toString('utf8').split('\n\n'))
    if (event.startsWith('data: {'))
      usage = (JSON.parse(event.slice(6)) as { usage?: unknown }).usage ?? usage;
  if (!usage) throw new Error('not parsed');
}

const CANDIDATES = {
  jsonParse: parsed,
  oneWrite: () => metered([whole], false),
  writePerEvent: () => metered(events, false),
  oneWriteDropping: () => metered([whole], true),
  writePerEventDropping: () => metered(events, true),
};

/** Microseconds per stream, every candidate in each round, so that all see the same machine. */
const rounds = Array.from({ length: ROUNDS }, () =>
  Object.values(CANDIDATES).map((candidate) => {
    const startedMs = performance.now();
    for (let stream = 0; stream < STREAMS_PER_ROUND; stream += 1) candidate();
    return ((performance.now() - startedMs) * 1_000) / STREAMS_PER_ROUND;
  }),
);
const names = Object.keys(CANDIDATES);
const micros = Object.fromEntries(
  names.map((name, at) => [name, median(rounds.map((round) => round[at] ?? Number.NaN))]),
);
/** Share of JSON.parse that each way to meter may take. */
const BUDGETS: Partial<Record<keyof typeof CANDIDATES, number>> = {
  oneWrite: 0.4,
  oneWriteDropping: 0.4,
  writePerEvent: 0.8,
  writePerEventDropping: 0.8,
};

report(
  QUESTION,
  { microsecondsPerStream: micros },
  Object.entries(BUDGETS).map(([name, most]) => ({
    what: `${name}, share of JSON.parse`,
    figure: (micros[name] ?? Number.NaN) / (micros.jsonParse ?? Number.NaN),
    most,
  })),
);
