import { Rational } from '@vendo/money';
import type { Quantity } from '@vendo/pricing';
import { z } from 'zod';
import {
  countOf,
  eventKind,
  type Foreign,
  hasObjectMember,
  isObject,
  nameOf,
  objectOf,
  parseObject,
} from '../foreign-json.js';
import { readForm } from '../form-body.js';
import type {
  EventVerdict,
  MeteredRequest,
  Reading,
  RouteRequest,
  SseEvent,
  UsageMeter,
} from '../provider.js';
import { isSound, quantitiesOf, type ReportedCounts, soundOnes } from '../quantities.js';
import { readRequestBody } from '../request-body.js';
import { ERRORS, Signs } from '../signs.js';
import { tokenFloor } from '../token-floor.js';
import { PASS, TERMINAL } from '../verdicts.js';
import { Answer, imageCounts, NO_OTHERS, type Others } from './openai.answer.js';
import { Count, countIn, Flag, flagIn, Model, modelIn, notTaken, Word } from './openai.fields.js';
import { isPerImage, rateKeys, sizedModel } from './openai.models.js';

/** Without a model OpenAI takes this one .. */
const MODEL_OF_BEFORE = 'dall-e-2';
/** .. or, where the request or the answer is one of the models that count tokens, this. */
const MODEL_OF_NOW = 'gpt-image-2';
/** Fields that only the models take that count tokens. */
const FIELDS_OF_NOW = [
  'background',
  'complexity',
  'input_fidelity',
  'moderation',
  'output_compression',
  'output_format',
  'partial_images',
] as const;

/** OpenAI takes no longer prompt, so none is kept for the lower bound. */
const PROMPT_CHARACTERS_MAX = 32_000;

const optional = z.unknown().optional();
const ImagesBody = z.object({
  model: Model.nullish(),
  n: Count,
  size: Word,
  quality: Word,
  prompt: optional,
  background: optional,
  complexity: optional,
  input_fidelity: optional,
  moderation: optional,
  output_compression: optional,
  output_format: optional,
  partial_images: optional,
  stream: Flag,
});

/** What of a request for images decides its cost. */
interface Asked {
  /** Null: not said. */
  model: string | null;
  n: number;
  size: string | null;
  quality: string | null;
  prompt: string;
  stream: boolean;
  /** The request has something that only models take that count tokens. */
  isOfNow: boolean;
}

/** Throws VendoError invalid_body. */
export function readGenerations({ body }: RouteRequest): MeteredRequest {
  const request = readRequestBody(body, ImagesBody);
  const { model, n, size, quality, prompt, stream } = request;
  return metered(body, {
    model: model ?? null,
    n: n ?? 1,
    size: size ?? null,
    quality: quality ?? null,
    prompt: typeof prompt === 'string' ? prompt : '',
    stream: stream === true,
    isOfNow: stream === true || FIELDS_OF_NOW.some((field) => !isNothing(request[field])),
  });
}

/** Edits and variations. Rejects with VendoError invalid_body. */
export async function readImageForm({ body, contentType }: RouteRequest): Promise<MeteredRequest> {
  const form = await readForm(body, contentType);
  const stream = flagIn(form, 'stream');
  return metered(body, {
    model: modelIn(form),
    n: countIn(form, 'n') ?? 1,
    size: form.text('size'),
    quality: form.text('quality'),
    prompt: form.text('prompt') ?? '',
    stream,
    isOfNow: stream || [...FIELDS_OF_NOW, 'image[]'].some((field) => form.has(field)),
  });
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null;
}

function metered(body: Buffer, asked: Asked): MeteredRequest {
  const model = asked.model ?? (asked.isOfNow ? MODEL_OF_NOW : MODEL_OF_BEFORE);
  const common = { stream: asked.stream, tier: 'standard', body };
  if (!isPerImage(model)) {
    const { n } = asked;
    const prompt = asked.prompt.length <= PROMPT_CHARACTERS_MAX ? asked.prompt : '';
    return {
      ...common,
      model,
      bound: { kind: 'ceiling' },
      needs: ['input_tokens', 'image_tokens'],
      meter: () => new ImageTokensMeter(n, prompt),
    };
  }
  const priced = sizedModel(model, { quality: qualityOf(asked.quality), size: sizeOf(asked.size) });
  return {
    ...common,
    model: priced,
    bound: { kind: 'units', units: { images: asked.n } },
    needs: ['images'],
    meter: () => new ImagesMeter(model, priced),
  };
}

/** Without a say, both models of before make this size. */
function sizeOf(asked: string | null): string {
  if (asked === null || asked === 'auto') return '1024x1024';
  if (!/^\d{1,5}x\d{1,5}$/.test(asked)) throw notTaken('size');
  return asked;
}

function qualityOf(asked: string | null): string {
  if (asked === null || asked === 'auto') return 'standard';
  if (!/^[a-z]+$/.test(asked)) throw notTaken('quality');
  return asked;
}

/** Models that are billed by the image: as many as are in the answer. */
export class ImagesMeter implements UsageMeter {
  private readonly answer = new Answer();
  private begun = 0;

  /** @param priced the name that has the price of the size that was asked for. */
  constructor(
    private readonly model: string,
    private readonly priced: string,
  ) {}

  onEvent(): EventVerdict {
    return PASS;
  }

  onBody(json: unknown): void {
    const { data, usage, error } = objectOf(json);
    if (isObject(error)) this.answer.failed = true;
    this.answer.identify({ model: this.model });
    if (isObject(usage)) {
      // No model was named, and it is one that counts tokens after all.
      this.answer.identify({ model: MODEL_OF_NOW });
      this.answer.report(imageCounts(usage), usage.input_tokens);
    } else if (Array.isArray(data))
      this.answer.report({}, 0, { quantities: this.images(data.length), isSound: true });
  }

  /** An image of which the answer has begun to tell has been made. */
  onTornBody(text: string): void {
    this.begun = text.match(/"(?:b64_json|url)"\s*:/g)?.length ?? 0;
  }

  reading(): Reading {
    return this.answer.reading();
  }

  counted(): Reading {
    const reading = this.answer.reading();
    return reading.state === 'final' ? reading : { ...reading, quantities: this.images(this.begun) };
  }

  private images(count: number): Quantity[] {
    if (count === 0) return [];
    return [{ meter: 'images', quantity: Rational.of(BigInt(count)), rateKeys: rateKeys(this.priced) }];
  }
}

const SIGNS = new Signs([{ text: '.completed' }, { text: '"b64_json":"', opensBulk: true }, ...ERRORS]);

/** Models that count tokens: `usage` behind the images, in a stream in the event of each image that is done. */
export class ImageTokensMeter implements UsageMeter {
  readonly signs = SIGNS;
  private readonly answer = new Answer();
  private counts: ReportedCounts = {};
  private authors = NO_OTHERS;
  private contextTokens = 0;
  private done = 0;

  /** @param asked the number of images that end a stream. */
  constructor(
    private readonly asked: number,
    private readonly prompt: string,
  ) {}

  onEvent(event: SseEvent): EventVerdict {
    const kind = eventKind(event);
    if (kind === 'error') this.answer.failed = true;
    // A partial image may carry a usage of its own: it is in that of the whole.
    if (!kind.endsWith('.completed') || !hasObjectMember(event.data, 'usage')) return PASS;
    this.onBody(parseObject(event.data));
    this.done += 1;
    return this.done === this.asked ? TERMINAL : PASS;
  }

  onBody(json: unknown): void {
    const { usage, svg_usage, error } = objectOf(json);
    if (isObject(error)) this.answer.failed = true;
    if (!isObject(usage)) return;
    this.counts = sumOf(this.counts, imageCounts(usage));
    this.contextTokens += countOf(usage.input_tokens) ?? 0;
    this.authors = bothOf(this.authors, authorOf(svg_usage));
    this.answer.report(this.counts, this.contextTokens, this.authors);
  }

  onTornBody(): void {
    // Pictures are no tokens that we could count.
  }

  reading(): Reading {
    return this.answer.reading();
  }

  counted(): Reading {
    return this.answer.counted({ input_tokens: tokenFloor([this.prompt]) });
  }
}

function sumOf(a: ReportedCounts, b: ReportedCounts): ReportedCounts {
  return Object.fromEntries(
    Object.entries(b).map(([meter, count]) => {
      const before = a[meter] === undefined ? 0 : a[meter];
      return [
        meter,
        before === null || count === null ? null : Math.min(before + count, Number.MAX_SAFE_INTEGER),
      ];
    }),
  );
}

function bothOf(a: Others, b: Others): Others {
  if (b === NO_OTHERS) return a;
  return { quantities: [...a.quantities, ...b.quantities], isSound: a.isSound && b.isSound };
}

/** The model that wrote an SVG after the image, at its own price. */
function authorOf(usage: unknown): Others {
  if (isNothing(usage)) return NO_OTHERS;
  const { model, input_tokens, output_tokens }: Foreign = objectOf(usage);
  const name = nameOf(model);
  if (name === null) return { quantities: [], isSound: false };
  const counts = { input_tokens: countOf(input_tokens), output_tokens: countOf(output_tokens) };
  return {
    quantities: quantitiesOf(soundOnes(counts), { model: name, rateKeys: rateKeys(name) }),
    isSound: isSound(counts),
  };
}
