import { JSON_TYPE, NOTHING, post, type Scenes } from './memory.scene.contract.js';

/** What it costs only its report tells, whoever asks for it. */
const BEGUN = { job: null };

export const SCENES: Scenes = {
  'a submit': {
    request: post('/assemblyai/v2/transcript', { audio_url: 'https://sounds.example/a' }),
    type: JSON_TYPE,
    parts: ['{"id":"tr-1",', '"status":"queued",', '"audio_duration":null}', ''],
    counted: [NOTHING, BEGUN, BEGUN],
    reported: BEGUN,
    endsWithReport: true,
  },
};
