import { Rational } from '@vendo/money';

/** What ElevenLabs takes where the request names no model. */
export const DEFAULT_MODELS = {
  speech: 'eleven_multilingual_v2',
  dialogue: 'eleven_v3',
  conversion: 'eleven_english_sts_v2',
  sound: 'eleven_text_to_sound_v2',
};

/** Isolation takes no model at all; its rates stand under this name. */
export const ISOLATION = 'audio_isolation';

/** Models are priced under their own names only: `scribe_v1_experimental` is no `scribe_v1`. */
export function rateKeys(model: string): readonly string[] {
  return [model];
}

const HALF = Rational.of(1n, 2n);

/** The list's credits for so many characters of speech; null for a model whose factor is not known. */
export function creditsFor(model: string, characters: number): Rational | null {
  return factorOf(model)?.times(Rational.of(BigInt(characters))) ?? null;
}

function factorOf(model: string): Rational | null {
  if (/^eleven_(?:flash|turbo)_/.test(model)) return HALF;
  return /^eleven_(?:v3|multilingual_v[12]|monolingual_v1)/.test(model) ? Rational.ONE : null;
}
