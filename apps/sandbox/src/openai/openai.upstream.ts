import { bearer, get, post, type Upstream } from '../upstream.js';
import { answerChat } from './chat.js';
import { answerCompletions } from './completions.js';
import { answerEmbeddings } from './embeddings.js';
import { answerEdits, answerGenerations, answerVariations } from './images.js';
import { answerModel, answerModels } from './models.js';
import { answerModerations } from './moderations.js';
import { openaiHeaders, openaiStatusError } from './openai-wire.js';
import {
  answerCompact,
  answerDeletion,
  answerInputTokens,
  answerResponses,
  answerStored,
} from './responses.js';
import { answerSpeech } from './speech.js';
import { answerTranscriptions, answerTranslations } from './transcriptions.js';

export const openai: Upstream = {
  slug: 'openai',
  ownPaths: /^\/v1\/(?:chat\/|responses|embeddings|audio\/|images\/|moderations|completions)/,
  sharedPaths: /^\/v1\//,
  routes: [
    post('/v1/chat/completions', answerChat),
    post('/v1/responses', answerResponses),
    post('/v1/responses/input_tokens', answerInputTokens, { needsModel: false }),
    post('/v1/responses/compact', answerCompact),
    get('/v1/responses/{id}', answerStored),
    get('/v1/responses/{id}', answerDeletion, { method: 'DELETE' }),
    post('/v1/completions', answerCompletions),
    post('/v1/embeddings', answerEmbeddings),
    post('/v1/moderations', answerModerations, { needsModel: false }),
    post('/v1/audio/speech', answerSpeech),
    post('/v1/audio/transcriptions', answerTranscriptions, { takes: 'form' }),
    post('/v1/audio/translations', answerTranslations, { takes: 'form' }),
    post('/v1/images/generations', answerGenerations, { needsModel: false }),
    post('/v1/images/edits', answerEdits, { takes: 'form', needsModel: false }),
    post('/v1/images/variations', answerVariations, { takes: 'form', needsModel: false }),
    get('/v1/models', answerModels),
    get('/v1/models/{id}', answerModel),
  ],
  headers: openaiHeaders,
  credential: ({ headers }) => bearer(headers),
  modelOf: ({ model }) => model,
  statusError: openaiStatusError,
  refusals: { credential: 401, body: 400 },
};
