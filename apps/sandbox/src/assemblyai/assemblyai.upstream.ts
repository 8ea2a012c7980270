import { bearer, get, headerOf, post, type Upstream } from '../upstream.js';
import { listOf, newId } from '../wire.js';
import { assemblyaiStatusError } from './assemblyai-wire.js';
import {
  answerParagraphs,
  answerPoll,
  answerSentences,
  answerSubmit,
  answerSubRip,
  answerUpload,
  answerWebVtt,
} from './transcripts.js';

export const assemblyai: Upstream = {
  slug: 'assemblyai',
  ownPaths: /^\/v2\/(?:upload|transcript)/,
  routes: [
    post('/v2/upload', answerUpload, { takes: 'bytes', needsModel: false }),
    post('/v2/transcript', answerSubmit, { needsModel: false }),
    get('/v2/transcript/{id}', answerPoll),
    get('/v2/transcript/{id}/sentences', answerSentences),
    get('/v2/transcript/{id}/paragraphs', answerParagraphs),
    get('/v2/transcript/{id}/srt', answerSubRip),
    get('/v2/transcript/{id}/vtt', answerWebVtt),
  ],
  headers: () => ({ 'x-request-id': newId('req_') }),
  /** The bare key; a bearer is tolerated. */
  credential: ({ headers }) => bearer(headers) || headerOf(headers, 'authorization'),
  modelOf: ({ speech_models, speech_model }) => listOf(speech_models)[0] ?? speech_model,
  statusError: assemblyaiStatusError,
  refusals: { credential: 401, body: 400 },
};
