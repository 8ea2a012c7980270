import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { anthropic } from './anthropic/anthropic.upstream.js';
import { behaviourOf, NORMAL } from './directives.js';
import { openai } from './openai/openai.upstream.js';
import { readBody } from './request-body.js';
import { matchRoute } from './routes.js';
import type { Route, Upstream } from './upstream.js';
import { type Exchange, type Json, sendJson } from './wire.js';

export const UPSTREAMS: readonly Upstream[] = [openai, anthropic];

/** A call, and the provider that it is for. */
export interface Told {
  upstream: Upstream;
  path: string;
  query: URLSearchParams;
}

/** Which provider a call is for: the one that its path names first, else the one it looks like. Null: none. */
export function upstreamOf(request: IncomingMessage): Told | null {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  // Google's own clients may write the colon before a method's name either way.
  const path = (mark < 0 ? url : url.slice(0, mark)).replace(/%3a/gi, ':');
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
  const [, slug = ''] = path.split('/', 2);
  const named = UPSTREAMS.find((upstream) => upstream.slug === slug);
  if (named) return { upstream: named, path: path.slice(slug.length + 1), query };
  const upstream = lookedLike(path, request.headers, query);
  return upstream && { upstream, path, query };
}

/**
 * All share one origin here, as the gateway forwards to one. Most paths exist at one provider only; where several have
 * the same (`/v1/models`, everything under `/api/v1`), the place of the credential tells them apart.
 */
function lookedLike(path: string, headers: IncomingHttpHeaders, _query: URLSearchParams): Upstream | null {
  if (!path.startsWith('/v1/')) return null;
  const isAnthropic = path.startsWith('/v1/messages') || headers['anthropic-version'] !== undefined;
  return isAnthropic ? anthropic : openai;
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
    refuse(upstream, exchange, upstream.refusals.credential);
  else if (!match) refuse(upstream, exchange, 404);
  else answerRoute(upstream, { ...exchange, params: match.params }, match.route);
}

/** Wherever it stands: a key that was left in by mistake beside the real credential has leaked all the same. */
function carriesCallerKey({ url = '', rawHeaders }: IncomingMessage): boolean {
  return url.includes(CALLER_KEY) || rawHeaders.some((text) => text.includes(CALLER_KEY));
}

function answerRoute(upstream: Upstream, exchange: Exchange, route: Route): void {
  readBody(exchange.request, route.takes, (body) => {
    if (!body) invalid(upstream, exchange, 'The body is not a JSON object.');
    else {
      const model = upstream.modelOf(body, exchange.params);
      if (route.needsModel && typeof model !== 'string') invalid(upstream, exchange, 'model: Field required');
      else behave(upstream, exchange, body, typeof model === 'string' ? model : '', route);
    }
  });
}

function invalid(upstream: Upstream, exchange: Exchange, message: string): void {
  const status = upstream.refusals.body;
  sendJson(exchange, status, upstream.statusError(status, message));
}

/** Does what the model name asks for before an answer; the rest is done by the one who sends it. */
function behave(upstream: Upstream, exchange: Exchange, body: Json, model: string, { answer }: Route): void {
  const behaviour = behaviourOf(model);
  if (!behaviour) refuse(upstream, exchange, 404);
  else if (behaviour.diebeforeheaders) exchange.request.socket.destroy();
  else if (behaviour.status !== null) refuse(upstream, { ...exchange, behaviour }, behaviour.status);
  else if (!behaviour.hang) answer({ ...exchange, behaviour }, body);
}

function refuse(upstream: Upstream, exchange: Exchange, status: number): void {
  exchange.request.resume();
  sendJson(exchange, status, upstream.statusError(status));
}
