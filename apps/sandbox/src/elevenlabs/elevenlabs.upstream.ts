import { get, headerOf, post, type Route, type Upstream } from '../upstream.js';
import { elevenlabsHeaders, elevenlabsStatusError } from './elevenlabs-wire.js';
import { answerSound, answerSpeech, answerTimestampStream, answerTimestamps } from './speech.js';
import { answerSpeechToText } from './transcripts.js';
import { answerModels, answerVoice, answerVoicePage, answerVoices } from './voices.js';

/** A request that names no model gets the usual one. */
const USUAL: Partial<Route> = { needsModel: false };

export const elevenlabs: Upstream = {
  slug: 'elevenlabs',
  ownPaths: /^\/v[12]\/(?:text-to-speech|speech-to-text|sound-generation|voices)/,
  sharedPaths: /^\/v1\//,
  marked: (headers) => 'xi-api-key' in headers,
  routes: [
    post('/v1/text-to-speech/{voice}', answerSpeech, USUAL),
    post('/v1/text-to-speech/{voice}/stream', answerSpeech, USUAL),
    post('/v1/text-to-speech/{voice}/with-timestamps', answerTimestamps, USUAL),
    post('/v1/text-to-speech/{voice}/stream/with-timestamps', answerTimestampStream, USUAL),
    post('/v1/sound-generation', answerSound, USUAL),
    post('/v1/speech-to-text', answerSpeechToText, { takes: 'form' }),
    get('/v1/models', answerModels),
    get('/v1/voices', answerVoices),
    get('/v1/voices/{voice}', answerVoice),
    get('/v2/voices', answerVoicePage),
  ],
  headers: elevenlabsHeaders,
  credential: ({ headers }) => headerOf(headers, 'xi-api-key'),
  modelOf: ({ model_id }) => model_id,
  statusError: elevenlabsStatusError,
  refusals: { credential: 401, body: 422 },
};
