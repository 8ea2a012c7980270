import { type Exchange, type Json, sendJson } from '../wire.js';

const VOICES = ['21m00Tcm4TlvDq8ikWAM', 'EXAVITQu4vr4xnSDxMaL'];
const MODELS = [
  ['eleven_multilingual_v2', 1],
  ['eleven_flash_v2_5', 0.5],
  ['scribe_v1', 1],
] as const;

/** GET /v1/models */
export function answerModels(exchange: Exchange): void {
  sendJson(
    exchange,
    200,
    MODELS.map(([id, factor]) => ({
      model_id: id,
      name: id,
      can_be_finetuned: false,
      can_do_text_to_speech: !id.startsWith('scribe'),
      can_do_voice_conversion: false,
      can_use_style: false,
      can_use_speaker_boost: false,
      serves_pro_voices: false,
      token_cost_factor: factor,
      description: 'A model of the sandbox.',
      languages: [{ language_id: 'en', name: 'English' }],
      model_rates: { character_cost_multiplier: factor },
    })),
  );
}

/** GET /v1/voices */
export function answerVoices(exchange: Exchange): void {
  sendJson(exchange, 200, { voices: VOICES.map(voice) });
}

/** GET /v2/voices */
export function answerVoicePage(exchange: Exchange): void {
  const voices = VOICES.map(voice);
  sendJson(exchange, 200, {
    voices,
    has_more: false,
    total_count: voices.length,
    next_page_token: null,
  });
}

/** GET /v1/voices/{voice}. Every id exists. */
export function answerVoice(exchange: Exchange): void {
  sendJson(exchange, 200, voice(exchange.params.voice ?? ''));
}

function voice(voice_id: string): Json {
  return {
    voice_id,
    name: `Voice ${voice_id.slice(0, 4)}`,
    category: 'premade',
    labels: { language: 'en' },
    description: null,
    preview_url: null,
    available_for_tiers: [],
    settings: null,
  };
}
