import type { Route } from '../provider.js';
import {
  readConversion,
  readDialogue,
  readIsolation,
  readSound,
  readSpeech,
  readTranscription,
} from './elevenlabs.request.js';

const SPEECH = '/v1/text-to-speech/:voice';
const DIALOGUE = '/v1/text-to-dialogue';

export const routes: readonly Route[] = [
  metered(SPEECH, 'text-to-speech', readSpeech),
  metered(`${SPEECH}/with-timestamps`, 'text-to-speech.with-timestamps', readSpeech),
  metered(`${SPEECH}/stream`, 'text-to-speech.stream', readSpeech),
  metered(`${SPEECH}/stream/with-timestamps`, 'text-to-speech.stream.with-timestamps', readSpeech),
  metered(DIALOGUE, 'text-to-dialogue', readDialogue),
  metered(`${DIALOGUE}/with-timestamps`, 'text-to-dialogue.with-timestamps', readDialogue),
  metered(`${DIALOGUE}/stream`, 'text-to-dialogue.stream', readDialogue),
  metered(`${DIALOGUE}/stream/with-timestamps`, 'text-to-dialogue.stream.with-timestamps', readDialogue),
  metered('/v1/sound-generation', 'sound-generation', readSound),
  metered('/v1/speech-to-speech/:voice', 'speech-to-speech', readConversion),
  metered('/v1/speech-to-speech/:voice/stream', 'speech-to-speech.stream', readConversion),
  metered('/v1/audio-isolation', 'audio-isolation', readIsolation),
  metered('/v1/audio-isolation/stream', 'audio-isolation.stream', readIsolation),
  metered('/v1/speech-to-text', 'speech-to-text', readTranscription),
  free('/v1/models', 'models.list'),
  free('/v1/voices', 'voices.list'),
  free('/v2/voices', 'voices.search'),
  free('/v1/voices/settings/default', 'voices.settings.default'),
  free('/v1/voices/:voice', 'voices.retrieve'),
  free('/v1/voices/:voice/settings', 'voices.settings'),
  free('/v1/shared-voices', 'shared-voices.list'),
];

function metered(path: string, name: string, read: Extract<Route, { class: 'metered' }>['read']): Route {
  return { class: 'metered', method: 'POST', path, name, read };
}

function free(path: string, name: string): Route {
  return { class: 'free', method: 'GET', path, name };
}
