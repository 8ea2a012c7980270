import type { FreeRoute, Route } from '../provider.js';
import { readSubmit } from './assemblyai.request.js';

const TRANSCRIPT = '/v2/transcript';

export const routes: readonly Route[] = [
  { class: 'free', method: 'POST', path: '/v2/upload', name: 'upload', upload: true },
  { class: 'metered', method: 'POST', path: TRANSCRIPT, name: 'transcript', read: readSubmit },
  { ...ofTranscript('', 'transcript.retrieve'), reports: true },
  ofTranscript('/sentences', 'transcript.sentences'),
  ofTranscript('/paragraphs', 'transcript.paragraphs'),
  ofTranscript('/srt', 'transcript.srt'),
  ofTranscript('/vtt', 'transcript.vtt'),
  ofTranscript('/word-search', 'transcript.word-search'),
  ofTranscript('/redacted-audio', 'transcript.redacted-audio'),
];

function ofTranscript(part: string, name: string): FreeRoute {
  return { class: 'free', method: 'GET', path: `${TRANSCRIPT}/:id${part}`, name, object: 'id' };
}
