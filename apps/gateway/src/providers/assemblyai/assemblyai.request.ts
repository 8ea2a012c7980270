import { z } from 'zod';
import { type Foreign, isObject, nameOf, objectOf } from '../foreign-json.js';
import { topLevelMembers } from '../json-members.js';
import type { MeteredRequest, RouteRequest } from '../provider.js';
import { invalid, readAgain, readRequestBody } from '../request-body.js';
import { addOnName, DEFAULT_MODEL, STANDARD, tierOf } from './assemblyai.models.js';
import { SubmitMeter } from './assemblyai.usage.js';

/** A report comes within hours; a hold may be open for a day at most. */
const JOB_TTL_MS = 24 * 60 * 60 * 1_000;

/** No name of a feature looks like one of a model. */
const Model = z.string().regex(/^[A-Za-z0-9._-]{1,128}$/);

const SubmitBody = z.object({
  audio_url: z.string().min(1),
  speech_model: Model.nullish(),
  speech_models: z.array(Model).nullish(),
  webhook_url: z.unknown().optional(),
  speech_understanding: z.unknown().optional(),
});

/** Fields that choose what is heard and how it is written, at no price of their own, and those that go with another field. */
const FREE_FIELDS: ReadonlySet<string> = new Set([
  ...Object.keys(SubmitBody.shape),
  'audio_start_from',
  'audio_end_at',
  'boost_param',
  'content_safety_confidence',
  'custom_spelling',
  'custom_topics',
  'disfluencies',
  'dual_channel',
  'format_text',
  'keyterms_prompt_options',
  'language_code',
  'language_codes',
  'language_confidence_threshold',
  'language_detection',
  'language_detection_options',
  'multichannel',
  'punctuate',
  'redact_pii_audio_options',
  'redact_pii_audio_quality',
  'redact_pii_policies',
  'redact_pii_return_unredacted',
  'redact_pii_sub',
  'remove_audio_tags',
  'speaker_options',
  'speakers_expected',
  'speech_threshold',
  'summary_model',
  'summary_type',
  'temperature',
  'topics',
  'webhook_auth_header_name',
  'webhook_auth_header_value',
  'word_boost',
]);

/**
 * Whatever else is asked for is billed beside the model: without a price for it the call is refused.
 * Throws VendoError invalid_body; also for a webhook, by which the transcript would leave without a report.
 */
export function readSubmit({ body }: RouteRequest): MeteredRequest {
  const request = readRequestBody(body, SubmitBody);
  if (isOn(request.webhook_url))
    throw invalid('"webhook_url" is not supported here: poll for the transcript.');
  refuseRepeated(body);
  const features = featuresIn(readAgain(body));
  const [model = DEFAULT_MODEL, ...others] = [
    ...(request.speech_models ?? []),
    ...present(request.speech_model),
  ];
  return {
    model,
    stream: false,
    tier: STANDARD,
    body,
    // How long the audio is no request says.
    bound: { kind: 'ceiling' },
    needs: ['audio_seconds'],
    extras: [...others, ...features.map(addOnName)],
    job: { ttlMs: JOB_TTL_MS, tier: tierOf(features) },
    meter: () => new SubmitMeter(),
  };
}

/** Any field may have a price. */
function refuseRepeated(body: Buffer): void {
  const names = topLevelMembers(body, () => true).map(({ key }) => key);
  if (new Set(names).size < names.length) throw invalid('The body names a field more than once.');
}

function present(model: string | null | undefined): string[] {
  return model ? [model] : [];
}

function featuresIn(request: Foreign): string[] {
  const asked = Object.keys(request).filter((name) => !FREE_FIELDS.has(name) && isOn(request[name]));
  const features = [...asked, ...understandingIn(objectOf(request.speech_understanding))].sort();
  const odd = features.find((name) => !/^[a-z0-9_.]{1,64}$/.test(name));
  if (odd !== undefined) throw invalid('The body names a field that AssemblyAI does not have.');
  return features;
}

/** Translations and the like; more effort than the least is a price of its own. */
function understandingIn({ request, ...others }: Foreign): string[] {
  if (Object.values(others).some(isOn)) return ['speech_understanding'];
  return Object.entries(objectOf(request)).flatMap(([name, how]) => {
    if (!isOn(how)) return [];
    const { effort } = objectOf(how);
    return [
      effort === undefined || effort === null || effort === 'low' ? name : `${name}.${nameOf(effort) ?? ''}`,
    ];
  });
}

/** Whatever may be read as on is on. */
function isOn(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isObject(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}
