import { randomUUID } from 'node:crypto';
import { Jobs } from '../jobs.js';
import { Kept } from '../kept.js';
import { HEARD, secondsOf, subRip, webVtt, wordsOver } from '../media.js';
import { type Exchange, type Json, listOf, sendJson } from '../wire.js';
import { assemblyaiStatusError } from './assemblyai-wire.js';

interface Request {
  body: Json;
  /** Length of the sound, s. */
  seconds: number;
}

/** Sizes of what was uploaded, by URL. */
const UPLOADS = new Kept<number>(10_000);
const JOBS = new Jobs<Request>();
/** What lies behind a link that nobody looks at. */
const LINKED_SECONDS = 60;

/** POST /v2/upload */
export function answerUpload(exchange: Exchange, { bytes }: Json): void {
  const upload_url = `https://cdn.assemblyai.com/upload/${randomUUID()}`;
  UPLOADS.put(upload_url, Number(bytes));
  sendJson(exchange, 200, { upload_url });
}

/** POST /v2/transcript */
export function answerSubmit(exchange: Exchange, body: Json): void {
  if (typeof body.audio_url !== 'string') {
    sendJson(exchange, 400, assemblyaiStatusError(400, 'audio_url should be a non-empty string'));
    return;
  }
  const id = randomUUID();
  const { behaviour } = exchange;
  const uploaded = UPLOADS.get(body.audio_url);
  // The provider bills whole seconds.
  const length = uploaded === undefined ? LINKED_SECONDS : Math.ceil(secondsOf(uploaded));
  const request = { body, seconds: behaviour.seconds ?? length };
  JOBS.submit(id, request, behaviour);
  sendJson(exchange, 200, transcript(id, 'queued', request));
}

/** GET /v2/transcript/{id} */
export function answerPoll(exchange: Exchange): void {
  const id = exchange.params.id ?? '';
  const job = JOBS.poll(id);
  if (!job) sendMissing(exchange);
  else if (!job.done) sendJson(exchange, 200, transcript(id, 'processing', job.request));
  else sendJson(exchange, 200, transcript(id, job.behaviour.failed ? 'error' : 'completed', job.request));
}

function sendMissing(exchange: Exchange): void {
  const message = 'Transcript lookup error, transcript id not found';
  sendJson(exchange, 400, assemblyaiStatusError(400, message));
}

/** GET /v2/transcript/{id}/sentences */
export function answerSentences(exchange: Exchange): void {
  whenDone(exchange, (id, seconds) => ({ sentences: [passage(seconds)], ...totals(id, seconds) }));
}

/** GET /v2/transcript/{id}/paragraphs */
export function answerParagraphs(exchange: Exchange): void {
  whenDone(exchange, (id, seconds) => ({ paragraphs: [passage(seconds)], ...totals(id, seconds) }));
}

/** GET /v2/transcript/{id}/srt */
export function answerSubRip(exchange: Exchange): void {
  whenDone(exchange, (_id, seconds) => Buffer.from(subRip(HEARD, seconds)), 'text/plain; charset=utf-8');
}

/** GET /v2/transcript/{id}/vtt */
export function answerWebVtt(exchange: Exchange): void {
  whenDone(exchange, (_id, seconds) => Buffer.from(webVtt(HEARD, seconds)), 'text/plain; charset=utf-8');
}

function whenDone(
  exchange: Exchange,
  shown: (id: string, seconds: number) => unknown,
  type = 'application/json',
): void {
  const id = exchange.params.id ?? '';
  const job = JOBS.peek(id);
  if (!job) sendMissing(exchange);
  else if (!job.done || job.behaviour.failed)
    sendJson(exchange, 400, assemblyaiStatusError(400, 'This transcript has not been completed.'));
  else {
    const headers = { ...exchange.headers, 'content-type': type };
    sendJson({ ...exchange, headers }, 200, shown(id, job.request.seconds));
  }
}

const CONFIDENCE = 0.97;

/** Times here are in ms. */
function words(seconds: number): Json[] {
  return wordsOver(HEARD, seconds).map(({ text, start, end }) => ({
    text,
    start: Math.round(start * 1_000),
    end: Math.round(end * 1_000),
    confidence: CONFIDENCE,
    speaker: null,
  }));
}

function passage(seconds: number): Json {
  return {
    text: HEARD,
    start: 0,
    end: Math.round(seconds * 1_000),
    confidence: CONFIDENCE,
    words: words(seconds),
    speaker: null,
  };
}

function totals(id: string, audio_duration: number): Json {
  return { id, confidence: CONFIDENCE, audio_duration };
}

/** Options that an answer repeats, as they are where the request says nothing. */
const OPTIONS: Json = {
  audio_start_from: null,
  audio_end_at: null,
  auto_chapters: false,
  auto_highlights: false,
  boost_param: null,
  content_safety: false,
  custom_spelling: null,
  disfluencies: false,
  dual_channel: false,
  entity_detection: false,
  filter_profanity: false,
  format_text: true,
  iab_categories: false,
  language_code: 'en_us',
  language_confidence_threshold: null,
  language_detection: false,
  multichannel: false,
  punctuate: true,
  redact_pii: false,
  redact_pii_audio: false,
  redact_pii_audio_quality: null,
  redact_pii_policies: null,
  redact_pii_sub: null,
  sentiment_analysis: false,
  speaker_labels: false,
  speakers_expected: null,
  speech_models: null,
  speech_threshold: null,
  summarization: false,
  summary_model: null,
  summary_type: null,
  topics: [],
  custom_topics: false,
  webhook_url: null,
  word_boost: [],
};

function transcript(id: string, status: string, { body, seconds }: Request): Json {
  const done = status === 'completed';
  const given = Object.entries(body).filter(([name]) => name in OPTIONS);
  return {
    id,
    language_model: 'assemblyai_default',
    acoustic_model: 'assemblyai_default',
    language_confidence: null,
    status,
    audio_url: body.audio_url,
    text: done ? HEARD : null,
    words: done ? words(seconds) : null,
    utterances: null,
    confidence: done ? CONFIDENCE : null,
    audio_duration: done ? seconds : null,
    ...(done && body.multichannel === true ? { audio_channels: 2 } : {}),
    ...OPTIONS,
    ...Object.fromEntries(given),
    speech_model: body.speech_model ?? null,
    ...(done ? { speech_model_used: listOf(body.speech_models)[0] ?? body.speech_model ?? 'universal' } : {}),
    webhook_status_code: null,
    webhook_auth: false,
    webhook_auth_header_name: null,
    auto_highlights_result: null,
    content_safety_labels: null,
    iab_categories_result: null,
    sentiment_analysis_results: null,
    chapters: null,
    entities: null,
    summary: null,
    throttled: null,
    ...(status === 'error' ? { error: 'The audio could not be decoded.' } : {}),
  };
}
