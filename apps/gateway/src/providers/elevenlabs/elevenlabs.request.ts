import { z } from 'zod';
import { listOf } from '../foreign-json.js';
import { type Form, readForm } from '../form-body.js';
import type { MeteredRequest, RouteRequest } from '../provider.js';
import { codePointsOf } from '../quantities.js';
import { invalid, readRequestBody } from '../request-body.js';
import { creditsFor, DEFAULT_MODELS, ISOLATION } from './elevenlabs.models.js';
import { AcceptedMeter, CreditsMeter, TranscriptMeter } from './elevenlabs.usage.js';

const Model = z.string().min(1).max(256);

const SpeechBody = z.object({
  text: z.string(),
  model_id: Model.nullish(),
  pronunciation_dictionary_locators: z.unknown().optional(),
  previous_request_ids: z.unknown().optional(),
  next_request_ids: z.unknown().optional(),
});

const DialogueBody = z.object({
  inputs: z.array(z.looseObject({ text: z.string() })),
  model_id: Model.nullish(),
  pronunciation_dictionary_locators: z.unknown().optional(),
});

const SoundBody = z.object({ model_id: Model.nullish() });

/** None of these routes answers with server-sent events: audio comes in chunks, timestamps a line of JSON each. */
const PLAIN = { stream: false, tier: 'standard' } as const;

/** Throws VendoError invalid_body. */
export function readSpeech({ body }: RouteRequest): MeteredRequest {
  const request = readRequestBody(body, SpeechBody);
  return speech(body, request.model_id ?? DEFAULT_MODELS.speech, codePointsOf(request.text), [
    ...namesStored('pronunciation_dictionary_locators', request.pronunciation_dictionary_locators),
    ...namesStored('previous_request_ids', request.previous_request_ids),
    ...namesStored('next_request_ids', request.next_request_ids),
  ]);
}

/** Throws VendoError invalid_body. */
export function readDialogue({ body }: RouteRequest): MeteredRequest {
  const request = readRequestBody(body, DialogueBody);
  const characters = request.inputs.reduce((sum, { text }) => sum + codePointsOf(text), 0);
  return speech(
    body,
    request.model_id ?? DEFAULT_MODELS.dialogue,
    characters,
    namesStored('pronunciation_dictionary_locators', request.pronunciation_dictionary_locators),
  );
}

function speech(body: Buffer, model: string, characters: number, accountObjects: string[]): MeteredRequest {
  return {
    ...PLAIN,
    model,
    body,
    bound: { kind: 'units', units: { characters } },
    needs: ['characters'],
    accountObjects,
    meter: () => new AcceptedMeter({ characters }, creditsFor(model, characters)),
  };
}

/** A sound costs the same however long it is asked to be. Throws VendoError invalid_body. */
export function readSound({ body }: RouteRequest): MeteredRequest {
  const { model_id } = readRequestBody(body, SoundBody);
  return {
    ...PLAIN,
    model: model_id ?? DEFAULT_MODELS.sound,
    body,
    bound: { kind: 'units', units: { requests: 1 } },
    needs: ['requests'],
    meter: () => new AcceptedMeter({ requests: 1 }, null),
  };
}

/** Rejects with VendoError invalid_body. */
export async function readConversion({ body, contentType }: RouteRequest): Promise<MeteredRequest> {
  const form = await readForm(body, contentType);
  return credits(body, modelOf(form.text('model_id')) ?? DEFAULT_MODELS.conversion);
}

/** Rejects with VendoError invalid_body. */
export async function readIsolation({ body, contentType }: RouteRequest): Promise<MeteredRequest> {
  await readForm(body, contentType);
  return credits(body, ISOLATION);
}

/** What ElevenLabs bills by the length of audio that no answer tells: it says the credits itself. */
function credits(body: Buffer, model: string): MeteredRequest {
  return {
    ...PLAIN,
    model,
    body,
    bound: { kind: 'ceiling' },
    needs: ['credits'],
    meter: () => new CreditsMeter(),
  };
}

/** Rejects with VendoError invalid_body; also for a webhook: its answer would carry no usage. */
export async function readTranscription({ body, contentType }: RouteRequest): Promise<MeteredRequest> {
  const form = await readForm(body, contentType);
  if (isOn(form.text('webhook')))
    throw invalid('"webhook" is not supported here: the answer of such a call carries no usage.');
  const model = modelOf(form.text('model_id'));
  if (model === null) throw invalid('"model_id" is missing or not what this route takes.');
  const extras = EXTRAS.filter(({ isIn }) => isIn(form));
  const secondsMin = Math.max(0, ...extras.map((extra) => extra.secondsMin(form)));
  return {
    ...PLAIN,
    model,
    tier: extras.map(({ tier }) => tier).join('+') || PLAIN.tier,
    body,
    bound: { kind: 'ceiling' },
    needs: ['audio_seconds'],
    accountObjects: isOn(form.text('use_speaker_library')) ? ['use_speaker_library'] : [],
    meter: () => new TranscriptMeter(secondsMin),
  };
}

/**
 * What raises the price of a second of audio, in the order of its place in the name of the tier, and how many seconds are
 * billed with it at least.
 */
const EXTRAS: readonly Extra[] = [
  { ...given('keyterms', 'keyterms'), secondsMin: (form) => (termsIn(form) > 100 ? 20 : 0) },
  given('entity_detection', 'entities'),
  given('entity_redaction', 'redaction'),
  { ...given('transcript_edit', 'edit'), secondsMin: () => 10 },
  { ...given('detect_speaker_roles', 'roles'), isIn: (form) => isOn(form.text('detect_speaker_roles')) },
];

interface Extra {
  tier: string;
  isIn(form: Form): boolean;
  secondsMin(form: Form): number;
}

function given(field: string, tier: string): Extra {
  return { tier, isIn: (form) => form.has(field), secondsMin: () => 0 };
}

/** Each is a field of its own, and shorter than that: what is longer can only be read as a list of them. */
const TERM_CHARS_MAX = 50;

function termsIn(form: Form): number {
  const counts = form
    .texts('keyterms')
    .map((text) => (text.length < TERM_CHARS_MAX ? 1 : text.split(',').length));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** A flag of a form. Whatever may be read as on is on. */
function isOn(flag: string | null): boolean {
  return flag !== null && !/^\s*(?:|0|f|false|n|no|off)\s*$/i.test(flag);
}

function modelOf(field: string | null): string | null {
  if (field === null) return null;
  const model = Model.safeParse(field);
  if (!model.success) throw invalid('"model_id" is missing or not what this route takes.');
  return model.data;
}

function namesStored(field: string, ids: unknown): string[] {
  return listOf(ids).length > 0 ? [field] : [];
}
