import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { anthropic } from './anthropic/anthropic.upstream.js';
import { assemblyai } from './assemblyai/assemblyai.upstream.js';
import { composio } from './composio/composio.upstream.js';
import { behaviourOf, NORMAL } from './directives.js';
import { elevenlabs } from './elevenlabs/elevenlabs.upstream.js';
import { gemini } from './gemini/gemini.upstream.js';
import { muapi } from './muapi/muapi.upstream.js';
import { openai } from './openai/openai.upstream.js';
import { openrouter } from './openrouter/openrouter.upstream.js';
import { readBody } from './request-body.js';
import { matchRoute } from './routes.js';
import { telegram } from './telegram/telegram.upstream.js';
import type { Answer, Route, Upstream } from './upstream.js';
import { type Exchange, type Json, sendJson } from './wire.js';

export const UPSTREAMS: readonly Upstream[] = [
  openai,
  anthropic,
  openrouter,
  gemini,
  elevenlabs,
  assemblyai,
  muapi,
  telegram,
  composio,
];

/** A call, and the provider that it is for. */
export interface Told {
  upstream: Upstream;
  path: string;
  query: URLSearchParams;
}

/** Which provider a call is for: the one that its path names first, else the one it looks like. Null: none. */
export function upstreamOf(url: string, headers: IncomingHttpHeaders): Told | null {
  const mark = url.indexOf('?');
  // Google's own clients may write the colon before a method's name either way.
  const path = (mark < 0 ? url : url.slice(0, mark)).replace(/%3a/gi, ':');
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
  const [, slug = ''] = path.split('/', 2);
  const named = UPSTREAMS.find((upstream) => upstream.slug === slug);
  if (named) return { upstream: named, path: path.slice(slug.length + 1), query };
  const upstream = lookedLike(path, headers, query);
  return upstream && { upstream, path, query };
}

/**
 * All share one origin here, as the gateway forwards to one. Most paths exist at one provider only; where several have
 * the same (`/v1/models`, everything under `/api/v1`), what their clients send beside it tells them apart, and where
 * nothing does, the first that has it is meant.
 */
function lookedLike(path: string, headers: IncomingHttpHeaders, query: URLSearchParams): Upstream | null {
  const owner = UPSTREAMS.find(({ ownPaths }) => ownPaths?.test(path));
  if (owner) return owner;
  const sharing = UPSTREAMS.filter(({ sharedPaths }) => sharedPaths?.test(path));
  return sharing.find((upstream) => upstream.marked?.(headers, query)) ?? sharing[0] ?? null;
}

/** Keys of the gateway's own callers: they must never reach a provider, so here they open nothing. */
const CALLER_KEY = 'vendo_sk_';

/** Answers one call as the provider that it is for would. */
export function answerUpstream(request: IncomingMessage, response: ServerResponse, told: Told): void {
  const { upstream, path, query } = told;
  const exchange = {
    request,
    response,
    headers: upstream.headers(),
    behaviour: NORMAL,
    params: {},
    query,
  };
  const match = matchRoute(upstream, request.method ?? '', path);
  const isOpen = match?.route.open ?? false;
  if ((!isOpen && upstream.credential(request) === '') || carriesCallerKey(request))
    refuse(exchange, upstream.refusals.credential, upstream.credentialError ?? upstream.statusError);
  else if (!match) refuse(exchange, 404, upstream.statusError);
  else answerRoute(upstream, { ...exchange, params: match.params }, match.route);
}

/** Wherever it stands: a key that was left in by mistake beside the real credential has leaked all the same. */
function carriesCallerKey({ url = '', rawHeaders }: IncomingMessage): boolean {
  return url.includes(CALLER_KEY) || rawHeaders.some((text) => text.includes(CALLER_KEY));
}

function answerRoute(upstream: Upstream, exchange: Exchange, route: Route): void {
  const own = route.statusError;
  const error: Upstream['statusError'] = own
    ? (status, message) => own(status, message, exchange.query)
    : upstream.statusError;
  const invalid = (message: string): void =>
    sendJson(exchange, upstream.refusals.body, error(upstream.refusals.body, message));
  readBody(exchange.request, route.takes, (body) => {
    if (!body) invalid('The body is not a JSON object.');
    else {
      // To look something up is no call of it: directives are for what is asked of a model.
      const model = route.takes === 'nothing' ? undefined : upstream.modelOf(body, exchange.params);
      if (route.needsModel && typeof model !== 'string') invalid('model: Field required');
      else behave(exchange, body, typeof model === 'string' ? model : '', route.answer, error);
    }
  });
}

/** Does what the model name asks for before an answer; the rest is done by the one who sends it. */
function behave(
  exchange: Exchange,
  body: Json,
  model: string,
  answer: Answer,
  error: Upstream['statusError'],
): void {
  const behaviour = behaviourOf(model);
  if (!behaviour) refuse(exchange, 404, error);
  else if (behaviour.diebeforeheaders) exchange.request.socket.destroy();
  else if (behaviour.status !== null) refuse({ ...exchange, behaviour }, behaviour.status, error);
  else if (!behaviour.hang) answer({ ...exchange, behaviour }, body);
}

function refuse(exchange: Exchange, status: number, error: (status: number) => unknown): void {
  exchange.request.resume();
  sendJson(exchange, status, error(status));
}
