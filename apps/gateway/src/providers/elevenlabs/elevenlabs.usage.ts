import { Rational } from '@vendo/money';
import { type Foreign, listOf, nameOf, objectOf } from '../foreign-json.js';
import { HeadMeter } from '../head-meter.js';
import type { EventVerdict, Headers, ProviderUnits, Reading, UsageMeter } from '../provider.js';
import { type Counts, decimalOf, quantitiesOf } from '../quantities.js';
import { PASS } from '../verdicts.js';

const NOTHING: Reading = {
  model: null,
  tier: null,
  quantities: [],
  contextTokens: 0,
  state: 'none',
  failed: false,
  upstreamId: null,
};

/** Credits that ElevenLabs charged for the call. */
function creditsOf(headers: Headers): Rational | null {
  return decimalOf(headers['character-cost']);
}

/** What is owed once the request is accepted: characters of speech, a sound. Nothing in the audio says more. */
export class AcceptedMeter extends HeadMeter {
  readonly isHeadOnly = true;
  private accepted = false;
  private credits: Rational | null = null;

  /** @param expected credits by the list; null: not known. */
  constructor(
    private readonly owed: Counts,
    private readonly expected: Rational | null,
  ) {
    super();
  }

  onHead(headers: Headers): void {
    this.accepted = true;
    this.credits = creditsOf(headers);
  }

  reading(): Reading {
    if (!this.accepted) return NOTHING;
    return {
      ...NOTHING,
      quantities: quantitiesOf(this.owed),
      state: 'final',
      evidence: 'header',
      providerUnits: this.units(),
    };
  }

  /** ElevenLabs rounds to whole credits, either way: less than one of difference is none. */
  private units(): ProviderUnits | null {
    const { credits, expected } = this;
    if (credits === null) return null;
    const isExpected = expected === null || isWithinOne(expected, credits);
    return { quantity: credits, shouldBe: isExpected ? null : expected };
  }
}

function isWithinOne(a: Rational, b: Rational): boolean {
  const difference = a.minus(b);
  return difference.compare(Rational.ONE) < 0 && difference.compare(Rational.of(-1n)) > 0;
}

/** Voice changes and isolation: the credits that the head of the answer says. */
export class CreditsMeter extends HeadMeter {
  readonly isHeadOnly = true;
  private credits: Rational | null = null;

  onHead(headers: Headers): void {
    this.credits = creditsOf(headers);
  }

  reading(): Reading {
    if (this.credits === null) return NOTHING;
    return {
      ...NOTHING,
      quantities: [{ meter: 'credits', quantity: this.credits }],
      state: 'final',
      evidence: 'header',
      providerUnits: { quantity: this.credits, shouldBe: null },
    };
  }
}

/** An end of something in a transcript, or its length, in seconds. */
const SECONDS = /"(?:end|audio_duration_secs)"\s*:\s*(\d{1,15}(?:\.\d{1,20})?)(?=\s*[,}])/g;

/** Transcripts: the length of the audio, of each channel. Where the answer does not say it, the end of the last word. */
export class TranscriptMeter implements UsageMeter {
  private id: string | null = null;
  private credits: Rational | null = null;
  private seconds = Rational.ZERO;
  private state: Reading['state'] = 'none';
  private readonly leastSeconds: Rational;

  /** @param secondsMin what is billed at least, whole seconds. */
  constructor(secondsMin: number) {
    this.leastSeconds = Rational.of(BigInt(secondsMin));
  }

  onHead(headers: Headers): void {
    this.credits = creditsOf(headers);
  }

  onEvent(): EventVerdict {
    return PASS;
  }

  onBody(json: unknown): void {
    const body = objectOf(json);
    this.id = nameOf(body.transcription_id);
    const whole = decimalOf(body.audio_duration_secs);
    const channels = listOf(body.transcripts).map(objectOf);
    const lengths = (channels.length > 0 ? channels : [body]).map((transcript) =>
      lengthOf(transcript, whole),
    );
    this.seconds = lengths.reduce((sum, { seconds }) => sum.plus(seconds), Rational.ZERO);
    if (lengths.every(({ isSaid }) => isSaid)) this.state = 'final';
    else if (!this.seconds.isZero()) this.state = 'partial';
  }

  /** The audio lasts at least as long as the latest end that has come. */
  onTornBody(text: string): void {
    this.seconds = latest(Array.from(text.matchAll(SECONDS), ([, end]) => Number(end)));
    if (!this.seconds.isZero()) this.state = 'partial';
  }

  reading(): Reading {
    const billed = this.billed();
    return {
      ...NOTHING,
      quantities: billed.isZero() ? [] : [{ meter: 'audio_seconds', quantity: billed }],
      state: this.state,
      upstreamId: this.id,
      providerUnits: this.credits && { quantity: this.credits, shouldBe: null },
    };
  }

  counted(): Reading {
    return this.reading();
  }

  private billed(): Rational {
    const { seconds, leastSeconds, state } = this;
    return state !== 'none' && seconds.compare(leastSeconds) < 0 ? leastSeconds : seconds;
  }
}

/** The billed length of one transcript, of all channels that are in it; `isSaid`: by the answer itself. */
function lengthOf(transcript: Foreign, whole: Rational | null): { seconds: Rational; isSaid: boolean } {
  const words = listOf(transcript.words).map(objectOf);
  const said = decimalOf(transcript.audio_duration_secs) ?? whole;
  const length = said ?? latest(words.map(({ end }) => end));
  // A transcript of several channels in one names the channel of each word.
  const channels = new Set(words.map(({ channel_index }) => channel_index ?? 0));
  return {
    seconds: length.times(Rational.of(BigInt(Math.max(channels.size, 1)))),
    isSaid: said !== null,
  };
}

function latest(ends: readonly unknown[]): Rational {
  const last = ends.reduce<number>((max, end) => (typeof end === 'number' && end > max ? end : max), 0);
  return decimalOf(last) ?? Rational.ZERO;
}
