import { type Foreign, hasObjectMember, isObject, objectOf, parseObject } from '../foreign-json.js';
import { readForm } from '../form-body.js';
import type {
  EventVerdict,
  MeteredRequest,
  Reading,
  RouteRequest,
  SseEvent,
  UsageMeter,
} from '../provider.js';
import type { Counts } from '../quantities.js';
import { DONE, Signs } from '../signs.js';
import { OutputFloor, tokenFloor } from '../token-floor.js';
import { PASS, TERMINAL } from '../verdicts.js';
import { Answer, promptCounts, type Spelling } from './openai.answer.js';
import { flagIn, modelIn, notTaken } from './openai.fields.js';
import { secondsToSay } from './openai.speech.js';

/** Measured: 3.7 s of sound were 37 tokens. */
const SOUND_TOKENS_PER_SECOND = 10;
/** Longer sound does not fit into a request. */
const SECONDS_MAX = 10_000_000;

const TRANSCRIPTION: Spelling = {
  input: 'input_tokens',
  inputDetails: 'input_token_details',
  output: 'output_tokens',
  outputDetails: 'output_token_details',
};

/** Transcriptions and translations. Rejects with VendoError invalid_body. */
export async function readTranscription({ body, contentType }: RouteRequest): Promise<MeteredRequest> {
  const form = await readForm(body, contentType);
  const model = modelIn(form);
  if (model === null) throw notTaken('model');
  const isByTheSecond = /whisper/.test(model);
  return {
    model,
    stream: flagIn(form, 'stream'),
    tier: 'standard',
    body,
    bound: { kind: 'ceiling' },
    needs: isByTheSecond ? ['audio_seconds'] : ['input_tokens', 'audio_input_tokens', 'output_tokens'],
    meter: () => new TranscriptionMeter(isByTheSecond),
  };
}

const SIGNS = new Signs([...DONE, ...['"usage"', '"error"'].map((text) => ({ text }))]);

/**
 * Transcripts: `usage` in tokens or in seconds, in the body or in the event behind the text. Where there is none (plain
 * text, subtitles, translations), an estimate from what the answer says of its length, or from its text.
 */
export class TranscriptionMeter implements UsageMeter {
  readonly billsFailed = true;
  readonly signs = SIGNS;
  private readonly answer = new Answer();
  readonly output = new OutputFloor(['delta']);
  /** Of sound, by time stamps. */
  private seconds = 0;
  private textBytes = 0;
  private textTokens = 0;

  /** @param isByTheSecond the model is billed by seconds of sound. */
  constructor(private readonly isByTheSecond: boolean) {}

  onEvent({ data }: SseEvent): EventVerdict {
    if (data.trim() === '[DONE]') return TERMINAL;
    if (hasObjectMember(data, 'usage') || hasObjectMember(data, 'error'))
      this.onTranscript(objectOf(parseObject(data)));
    return PASS;
  }

  onBody(json: unknown): void {
    // A transcript that is a number, say.
    if (!isObject(json)) this.onTornBody(String(json));
    else this.onTranscript(json);
  }

  /** A body that is no JSON is the text or its subtitles. */
  onTornBody(text: string): void {
    this.seconds = lastCueOf(text);
    this.textBytes = text.length;
    this.textTokens = tokenFloor([text]);
  }

  reading(): Reading {
    const seconds = this.seconds || secondsToSay(this.textBytes);
    return this.answer.estimated(this.isByTheSecond ? { audio_seconds: seconds } : this.tokensOf(seconds));
  }

  /** Time stamps that have come are sound that was heard. */
  counted(): Reading {
    const floor: Counts = this.isByTheSecond
      ? { audio_seconds: this.seconds }
      : { output_tokens: this.output.tokens };
    return this.answer.counted(floor);
  }

  private onTranscript({ usage, duration, text, error }: Foreign): void {
    if (isObject(error)) this.answer.failed = true;
    const reported = objectOf(usage);
    if (isObject(usage) && reported.input_tokens === undefined)
      this.answer.report({ audio_seconds: secondsOf(reported.seconds) }, 0);
    else if (isObject(usage)) this.answer.report(promptCounts(usage, TRANSCRIPTION), usage.input_tokens);
    else if (typeof text === 'string') {
      this.seconds = secondsOf(duration) ?? 0;
      this.textBytes = Buffer.byteLength(text);
      this.textTokens = tokenFloor([text]);
    }
  }

  private tokensOf(seconds: number): Counts {
    if (seconds === 0) return {};
    return { audio_input_tokens: seconds * SOUND_TOKENS_PER_SECOND, output_tokens: this.textTokens };
  }
}

/** Whole seconds, rounded up as OpenAI bills them; null for what is no length of time. */
function secondsOf(value: unknown): number | null {
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds <= SECONDS_MAX)) return null;
  return Math.ceil(seconds);
}

/** `00:01:02,345 --> 00:01:04,000` in SRT; in VTT with a point, and without its hours where there are none. */
const CUE = /-->\s*(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})([.,]\d{1,3})?/g;

/** When the last subtitle ends, in whole seconds, rounded up; 0 without one. */
function lastCueOf(text: string): number {
  let last = 0;
  for (const [, hours = '0', minutes = '0', seconds = '0', fraction] of text.matchAll(CUE)) {
    const isBegun = fraction !== undefined && Number(fraction.slice(1)) > 0 ? 1 : 0;
    last = Math.max(last, Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds) + isBegun);
  }
  return last;
}
