import { z } from 'zod';
import { eventKind, hasObjectMember, isObject, objectOf, parseObject } from '../foreign-json.js';
import { HeadMeter } from '../head-meter.js';
import type {
  EventVerdict,
  MeteredRequest,
  Reading,
  RouteRequest,
  SseEvent,
  UsageMeter,
} from '../provider.js';
import { codePointsOf, quantitiesOf } from '../quantities.js';
import { readRequestBody } from '../request-body.js';
import { ERRORS, Signs } from '../signs.js';
import { tokenFloor } from '../token-floor.js';
import { PASS, TERMINAL } from '../verdicts.js';
import { Answer, promptCounts, RESPONSES } from './openai.answer.js';
import { Model, Word } from './openai.fields.js';

/** A minute of speech is about 900 bytes of UTF-8 in any script: 150 words of English, 300 characters of Chinese. */
const TEXT_BYTES_PER_MINUTE = 900;
/** OpenAI's own estimate: gpt-4o-mini-tts costs $0.015 a minute at $12 for a million tokens of sound. */
const SOUND_TOKENS_PER_MINUTE = 1_250;

const SpeechBody = z.object({
  model: Model,
  input: z.string(),
  instructions: z.string().nullish(),
  stream_format: Word,
  voice: z.unknown().optional(),
});

/** Throws VendoError invalid_body. */
export function readSpeech({ body }: RouteRequest): MeteredRequest {
  const { model, input, instructions, stream_format, voice } = readRequestBody(body, SpeechBody);
  const common = {
    model,
    stream: stream_format === 'sse',
    tier: 'standard',
    body,
    accountObjects: isObject(voice) ? ['voice'] : [],
  };
  if (/^(?:openai\/)?tts-/.test(model)) {
    const characters = codePointsOf(input);
    return {
      ...common,
      bound: { kind: 'units', units: { characters } },
      needs: ['characters'],
      meter: () => new CharactersMeter(characters),
    };
  }
  const textTokens = tokenFloor([input, instructions ?? '']);
  const soundTokens = soundTokensOf(Buffer.byteLength(input));
  return {
    ...common,
    bound: { kind: 'ceiling' },
    needs: ['input_tokens', 'audio_output_tokens'],
    meter: () => new SpeechMeter(textTokens, soundTokens),
  };
}

/** Seconds that it takes to say a text, about. */
export function secondsToSay(textBytes: number): number {
  return Math.ceil((textBytes * 60) / TEXT_BYTES_PER_MINUTE);
}

function soundTokensOf(textBytes: number): number {
  return Math.ceil((textBytes * SOUND_TOKENS_PER_MINUTE) / TEXT_BYTES_PER_MINUTE);
}

/** Speech that is billed by the characters of the request: known as soon as OpenAI has accepted it. */
export class CharactersMeter extends HeadMeter {
  readonly isHeadOnly = true;
  private isAccepted = false;

  constructor(private readonly characters: number) {
    super();
  }

  onHead(): void {
    this.isAccepted = true;
  }

  reading(): Reading {
    const quantities = this.isAccepted ? quantitiesOf({ characters: this.characters }) : [];
    return {
      model: null,
      tier: null,
      quantities,
      contextTokens: 0,
      state: this.isAccepted ? 'final' : 'none',
      evidence: 'header',
      failed: false,
      upstreamId: null,
    };
  }
}

const SIGNS = new Signs([{ text: '"usage"' }, { text: '"audio":"', opensBulk: true }, ...ERRORS]);

/** Speech that is billed by tokens: `usage` in the last event of a stream; sound alone reports nothing. */
export class SpeechMeter implements UsageMeter {
  readonly signs = SIGNS;
  private readonly answer = new Answer();

  /**
   * @param textTokens the fewest that the request can be.
   * @param soundTokens about as many as saying it takes.
   */
  constructor(
    private readonly textTokens: number,
    private readonly soundTokens: number,
  ) {}

  onEvent(event: SseEvent): EventVerdict {
    if (eventKind(event) === 'error') this.answer.failed = true;
    if (!hasObjectMember(event.data, 'usage')) return PASS;
    this.onBody(parseObject(event.data));
    return TERMINAL;
  }

  /** All of the output is sound, whatever its details say. */
  onBody(json: unknown): void {
    const { usage, error } = objectOf(json);
    if (isObject(error)) this.answer.failed = true;
    if (!isObject(usage)) return;
    const { output_tokens: sound = null, ...counts } = promptCounts(
      { ...usage, output_tokens_details: null },
      RESPONSES,
    );
    this.answer.report({ ...counts, audio_output_tokens: sound }, usage.input_tokens);
  }

  onTornBody(): void {
    // What is no JSON says nothing of tokens.
  }

  reading(): Reading {
    return this.answer.estimated({
      input_tokens: this.textTokens,
      audio_output_tokens: this.soundTokens,
    });
  }

  counted(): Reading {
    return this.answer.counted({ input_tokens: this.textTokens });
  }
}
