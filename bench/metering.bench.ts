/**
 * Question: what does it cost to meter a stream of 100 events, whichever provider it comes from?
 * Compared in the same run: JSON.parse of the data of every event, cut out and decoded beforehand; told beside it, from
 * the bytes of the data, which were only cut out.
 * The tap as it stands in the gateway, from the answer's head to its settled reading. Budget: 0.2 of JSON.parse where the
 * 100 events come in one write, as in every bench here. Told beside it, each with a guard against getting dearer: packets
 * of a network that are cut anywhere, a write for each event, and streams of 1,000 events, which show what is put off in
 * short ones.
 * Rounds are short, and a share is the median of those of all rounds, because a shared machine changes its speed by half
 * from one tenth of a second to the next.
 * `npm run bench metering` for all; the file itself takes the beginnings of streams' names.
 */
import { openTap, type TapSink } from '../apps/gateway/src/proxy/tap.js';
import { median, report } from './figures.js';
import { type BenchStream, benchStreams } from './metering.streams.js';

const QUESTION = 'What does it cost to meter a stream, whichever provider it comes from?';
const ROUNDS = 101;
const EVENTS_PER_ROUND = 2_000;
const WARM_UPS = 200;
const PACKET_BYTES = 1_400;
/** So much is read from a socket at once, unless it had to wait. */
const READ_BYTES = 65_536;
const EVENTS = 100;
const MANY_EVENTS = 1_000;
/** Shares of JSON.parse for 100 events in one write. */
const BUDGET = 0.2;
/** The most of any other form: a sixth or more above the dearest stream when this was written. */
const GUARDS = { event: 0.5, packet: 0.5, whole: 0.4 };

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

function parsed(data: readonly (Buffer | string)[]): void {
  for (const json of data) if (JSON.parse(json.toString()) === null) throw new Error('not parsed');
}

function cut(pieces: readonly Buffer[], size: number): Buffer[] {
  const whole = Buffer.concat(pieces);
  const count = Math.ceil(whole.length / size);
  return Array.from({ length: count }, (_, at) => whole.subarray(at * size, (at + 1) * size));
}

/** One write as it is read at worst: each chunk in memory of its own, every other at an odd place in it. */
function readsOf(pieces: readonly Buffer[]): Buffer[] {
  return cut(pieces, READ_BYTES).map((bytes, at) =>
    Buffer.concat([Buffer.alloc(at % 2), bytes]).subarray(at % 2),
  );
}

function waysOf(stream: BenchStream): Record<string, () => void> {
  const packets = cut(stream.pieces, PACKET_BYTES);
  const whole = readsOf(stream.pieces);
  const bytes = stream.data.map((json) => Buffer.from(json));
  return {
    parse: () => parsed(stream.data),
    parseOfBytes: () => parsed(bytes),
    event: () => metered(stream, stream.pieces),
    packet: () => metered(stream, packets),
    whole: () => metered(stream, whole),
  };
}

/** Of each way: microseconds per stream, and its shares of the two that parse. */
interface Compared {
  events: number;
  micros: Record<string, number>;
  ofParse: Record<string, number>;
  ofBytes: Record<string, number>;
}

/** All ways in each round, so that all see the same machine. */
function compared(stream: BenchStream, events: number): Compared {
  const ways = waysOf(stream);
  const repeats = Math.ceil(EVENTS_PER_ROUND / stream.data.length);
  const timed = (way: () => void): number => {
    const startedMs = performance.now();
    for (let time = 0; time < repeats; time += 1) way();
    return ((performance.now() - startedMs) * 1_000) / repeats;
  };
  const rounds = Array.from({ length: ROUNDS }, () =>
    Object.fromEntries(Object.entries(ways).map(([name, way]) => [name, timed(way)])),
  );
  const medians = (figure: (round: Record<string, number>, way: string) => number): Record<string, number> =>
    Object.fromEntries(
      Object.keys(ways).map((way) => [way, median(rounds.map((round) => figure(round, way)))]),
    );
  const micros = (round: Record<string, number>, way: string): number => round[way] ?? Number.NaN;
  return {
    events,
    micros: medians(micros),
    ofParse: medians((round, way) => micros(round, way) / micros(round, 'parse')),
    ofBytes: medians((round, way) => micros(round, way) / micros(round, 'parseOfBytes')),
  };
}

/** A gateway has seen all kinds of streams before: what is compiled for the first alone is slower for it. */
function warmUp(streams: readonly BenchStream[]): void {
  for (const stream of streams)
    for (const way of Object.values(waysOf(stream))) for (let time = 0; time < WARM_UPS; time += 1) way();
}

const wanted = process.argv.slice(2);
const figures: Record<string, Compared> = {};
warmUp(Object.values(await benchStreams(EVENTS)));
for (const events of [EVENTS, MANY_EVENTS])
  for (const [name, stream] of Object.entries(await benchStreams(events)))
    if (wanted.length === 0 || wanted.some((beginning) => name.startsWith(beginning)))
      figures[`${name}, ${events} events`] = compared(stream, events);

const CHUNKED = ['event', 'packet', 'whole'] as const;
report(
  QUESTION,
  {
    microsecondsPerStream: Object.fromEntries(
      Object.entries(figures).map(([name, { micros }]) => [name, micros]),
    ),
    shareOfJsonParse: sharesOf('ofParse'),
    ofBytes: sharesOf('ofBytes'),
  },
  Object.entries(figures).flatMap(([name, { events, ofParse }]) =>
    CHUNKED.map((way) => ({
      what: `${name}, a write per ${way}, share of JSON.parse`,
      figure: ofParse[way] ?? Number.NaN,
      most: way === 'whole' && events === EVENTS ? BUDGET : GUARDS[way],
    })),
  ),
);

/** Of each stream by the way in which it came: a write per event, in packets, in one write. */
function sharesOf(compared: 'ofParse' | 'ofBytes'): Record<string, string> {
  return Object.fromEntries(
    Object.entries(figures).map(([name, { [compared]: shares }]) => [
      name,
      CHUNKED.map((way) => shares[way]?.toFixed(2)).join(' / '),
    ]),
  );
}
