/**
 * Question: what does it cost to meter a stream of 100 events, whichever provider it comes from?
 * Compared in the same run: JSON.parse of the data of every event, cut out and decoded beforehand.
 * The tap as it stands in the gateway, from the answer's head to its settled reading; each stream as it came in one
 * write per event, in pieces of a network packet that are cut anywhere, and in one write. Streams of 1,000 events tell
 * what is put off in short ones. Budget: 0.2 of JSON.parse.
 * `npm run bench metering` for all; the file itself takes the beginnings of streams' names.
 */
import { openTap, type TapSink } from '../apps/gateway/src/proxy/tap.js';
import { median, report } from './figures.js';
import { type BenchStream, benchStreams } from './metering.streams.js';

const QUESTION = 'What does it cost to meter a stream, whichever provider it comes from?';
const ROUNDS = 21;
const EVENTS_PER_ROUND = 10_000;
const PACKET_BYTES = 1_400;
const SHARE_MAX = 0.2;

function metered({ request, contentType, mayDrop }: BenchStream, chunks: readonly Buffer[]): void {
  const meter = request.meter();
  let bytes = 0;
  const sink: TapSink = {
    release: (chunk) => {
      bytes += chunk.length;
    },
    terminal: () => undefined,
    busy: () => undefined,
  };
  meter.onHead?.({});
  const tap = openTap({ contentType, contentEncoding: undefined, contentLength: null, mayDrop }, meter, sink);
  for (const chunk of chunks) tap.push(chunk);
  tap.finish(() => undefined);
  if (meter.reading().state !== 'final' || bytes === 0) throw new Error('not metered');
}

function parsed({ data }: BenchStream): void {
  for (const json of data) if (JSON.parse(json) === null) throw new Error('not parsed');
}

function packetsOf(pieces: readonly Buffer[]): Buffer[] {
  const whole = Buffer.concat(pieces);
  const count = Math.ceil(whole.length / PACKET_BYTES);
  return Array.from({ length: count }, (_, at) => whole.subarray(at * PACKET_BYTES, (at + 1) * PACKET_BYTES));
}

/** Microseconds per stream of each way, all of them in each round, so that all see the same machine. */
function compared(stream: BenchStream): Record<string, number> {
  const packets = packetsOf(stream.pieces);
  const whole = [Buffer.concat(stream.pieces)];
  const ways = {
    parse: () => parsed(stream),
    event: () => metered(stream, stream.pieces),
    packet: () => metered(stream, packets),
    whole: () => metered(stream, whole),
  };
  const repeats = Math.ceil(EVENTS_PER_ROUND / stream.data.length);
  const rounds = Array.from({ length: ROUNDS }, () =>
    Object.values(ways).map((way) => {
      const startedMs = performance.now();
      for (let time = 0; time < repeats; time += 1) way();
      return ((performance.now() - startedMs) * 1_000) / repeats;
    }),
  );
  return Object.fromEntries(
    Object.keys(ways).map((name, at) => [name, median(rounds.map((round) => round[at] ?? Number.NaN))]),
  );
}

const wanted = process.argv.slice(2);
const figures: Record<string, Record<string, number>> = {};
for (const events of [100, 1_000])
  for (const [name, stream] of Object.entries(await benchStreams(events)))
    if (wanted.length === 0 || wanted.some((beginning) => name.startsWith(beginning)))
      figures[`${name}, ${events} events`] = compared(stream);

report(
  QUESTION,
  { microsecondsPerStream: figures },
  Object.entries(figures).flatMap(([name, { parse = Number.NaN, ...ways }]) =>
    Object.entries(ways).map(([way, micros]) => ({
      what: `${name}, a write per ${way}, share of JSON.parse`,
      figure: micros / parse,
      most: SHARE_MAX,
    })),
  ),
);
