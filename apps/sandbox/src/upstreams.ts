import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { anthropicError, anthropicHeaders, anthropicStatusError } from './anthropic/anthropic-wire.js';
import { answerCountTokens, answerMessages } from './anthropic/messages.js';
import { behaviourOf, NORMAL } from './directives.js';
import { anthropicModels, openaiModels } from './models.js';
import { answerChat } from './openai/chat.js';
import { answerEmbeddings } from './openai/embeddings.js';
import { openaiError, openaiHeaders, openaiStatusError } from './openai/openai-wire.js';
import { answerResponses } from './openai/responses.js';
import { type Exchange, type Headers, type Json, readJson, sendJson } from './wire.js';

type Answer = (exchange: Exchange, body: Json) => void;

/** What one provider's API looks like from outside. */
interface Upstream {
  posts: Readonly<Record<string, Answer>>;
  models(id: string | null): Json;
  headers(): Headers;
  credential(headers: IncomingHttpHeaders): string;
  statusError(status: number): unknown;
  invalid(message: string): unknown;
}

const OPENAI: Upstream = {
  posts: {
    '/v1/chat/completions': answerChat,
    '/v1/responses': answerResponses,
    '/v1/embeddings': answerEmbeddings,
  },
  models: openaiModels,
  headers: openaiHeaders,
  credential: bearer,
  statusError: openaiStatusError,
  invalid: (message) => openaiError('invalid_request_error', null, message),
};

const ANTHROPIC: Upstream = {
  posts: { '/v1/messages': answerMessages, '/v1/messages/count_tokens': answerCountTokens },
  models: anthropicModels,
  headers: anthropicHeaders,
  credential: (headers) => String(headers['x-api-key'] ?? '') || bearer(headers),
  statusError: anthropicStatusError,
  invalid: (message) => anthropicError('invalid_request_error', message),
};

function bearer({ authorization }: IncomingHttpHeaders): string {
  return authorization?.startsWith('Bearer ') ? authorization.slice('Bearer '.length) : '';
}

/** Keys of the gateway's own callers: they must never reach a provider, so here they open nothing. */
const CALLER_KEY = 'vendo_sk_';

const MODELS = '/v1/models';

/** Answers one call as the provider that it is for would. */
export function answerUpstream(request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  const upstream = upstreamOf(path, request.headers);
  const exchange = { request, response, headers: upstream.headers(), behaviour: NORMAL };
  const credential = upstream.credential(request.headers);
  if (credential === '' || credential.startsWith(CALLER_KEY)) refuse(upstream, exchange, 401);
  else if (request.method === 'POST') answerPost(upstream, exchange, path);
  else if (request.method === 'GET' && path === MODELS) sendJson(exchange, 200, upstream.models(null));
  else if (request.method === 'GET' && path.startsWith(`${MODELS}/`))
    sendJson(exchange, 200, upstream.models(path.slice(MODELS.length + 1)));
  else refuse(upstream, exchange, 404);
}

/** Both share one origin here; their model lists share one path too, and only Anthropic's clients send a version. */
function upstreamOf(path: string, headers: IncomingHttpHeaders): Upstream {
  const anthropic = path.startsWith('/v1/messages') || headers['anthropic-version'] !== undefined;
  return anthropic ? ANTHROPIC : OPENAI;
}

function answerPost(upstream: Upstream, exchange: Exchange, path: string): void {
  const answer = upstream.posts[path];
  if (!answer) {
    refuse(upstream, exchange, 404);
    return;
  }
  readJson(exchange.request, (body) => {
    if (!body) sendJson(exchange, 400, upstream.invalid('The body is not a JSON object.'));
    else if (typeof body.model !== 'string')
      sendJson(exchange, 400, upstream.invalid('model: Field required'));
    else behave(upstream, exchange, body, answer);
  });
}

/** Does what the model name asks for before an answer; the rest is done by the one who sends it. */
function behave(upstream: Upstream, exchange: Exchange, body: Json, answer: Answer): void {
  const behaviour = behaviourOf(String(body.model));
  if (!behaviour) refuse(upstream, exchange, 404);
  else if (behaviour.diebeforeheaders) exchange.request.socket.destroy();
  else if (behaviour.status !== null) refuse(upstream, { ...exchange, behaviour }, behaviour.status);
  else if (!behaviour.hang) answer({ ...exchange, behaviour }, body);
}

function refuse(upstream: Upstream, exchange: Exchange, status: number): void {
  exchange.request.resume();
  sendJson(exchange, status, upstream.statusError(status));
}
