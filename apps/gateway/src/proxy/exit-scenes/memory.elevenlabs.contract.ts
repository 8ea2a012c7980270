import {
  form,
  JSON_TYPE,
  KNOWN_AT_HEAD,
  NOTHING,
  post,
  type Scene,
  type Scenes,
  SOUND,
} from './memory.scene.contract.js';

/** Sound as it is, and with its timestamps: in JSON, or in a line of JSON each. */
const WAYS = [
  { path: '', type: 'audio/mpeg', parts: SOUND },
  { path: '/with-timestamps', type: JSON_TYPE, parts: ['{"audio_base64":"AAAA', 'BBBB"', ',"x":1}', ''] },
  { path: '/stream', type: 'audio/mpeg', parts: SOUND },
  {
    path: '/stream/with-timestamps',
    type: 'application/x-ndjson',
    parts: ['{"audio_base64":"AAAA"}\n', '{"audio_base64":', '"BBBB"}\n', ''],
  },
] as const;

function sounding(
  request: Scene['request'],
  reported: Scene['reported'],
  { type, parts }: Pick<Scene, 'type' | 'parts'> = WAYS[0],
): Scene {
  return { request, type, parts, headers: { 'character-cost': '9' }, reported, ...KNOWN_AT_HEAD };
}

function inEveryWay(what: string, route: string, body: object, characters: number): Scenes {
  return Object.fromEntries(
    WAYS.map((way) => [
      `${what} by the character ${way.path}`.trimEnd(),
      sounding(post(`/elevenlabs/v1/${route}${way.path}`, body), { characters }, way),
    ]),
  );
}

/** What the head says. */
const CREDITS = { credits: 9 };

export const SCENES: Scenes = {
  ...inEveryWay('speech', 'text-to-speech/v-1', { text: 'Say (all)', model_id: 'eleven_v3' }, 9),
  ...inEveryWay('dialogue', 'text-to-dialogue', { inputs: [{ text: 'Say' }, { text: '(all)' }] }, 8),
  'a sound': sounding(post('/elevenlabs/v1/sound-generation', { text: 'rain' }), { requests: 1 }),
  'another voice': sounding(form('/elevenlabs/v1/speech-to-speech/v-1', {}, 'audio'), CREDITS),
  'another voice, streamed': sounding(
    form('/elevenlabs/v1/speech-to-speech/v-1/stream', {}, 'audio'),
    CREDITS,
  ),
  'a voice alone': sounding(form('/elevenlabs/v1/audio-isolation', {}, 'audio'), CREDITS),
  'a voice alone, streamed': sounding(form('/elevenlabs/v1/audio-isolation/stream', {}, 'audio'), CREDITS),
  'a transcript': {
    request: form('/elevenlabs/v1/speech-to-text', { model_id: 'scribe_v1' }),
    type: JSON_TYPE,
    parts: [
      '{"text":"One two","words":[{"text":"One","end":1.5},',
      '{"text":"two","end":2.5}],',
      '"audio_duration_secs":4}',
      '',
    ],
    counted: [NOTHING, { audio_seconds: 1.5 }, { audio_seconds: 2.5 }],
    reported: { audio_seconds: 4 },
    endsWithReport: true,
  },
  'a transcript that says no length': {
    request: form('/elevenlabs/v1/speech-to-text', { model_id: 'scribe_v1' }),
    type: JSON_TYPE,
    parts: ['{"text":"One two","words":[{"text":"One","end":1.5},', '{"text":"two","end":2.5}', ']}', ''],
    counted: [NOTHING, { audio_seconds: 1.5 }, { audio_seconds: 2.5 }],
    reported: { audio_seconds: 2.5 },
    whole: 'estimated',
    endsWithReport: true,
  },
};
