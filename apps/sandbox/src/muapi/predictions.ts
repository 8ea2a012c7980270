import type { Behaviour } from '../directives.js';
import { Jobs } from '../jobs.js';
import { type Exchange, type Headers, type Json, newId, sendJson } from '../wire.js';
import { muapiStatusError } from './muapi-wire.js';

const JOBS = new Jobs<Json>();
const USUAL_MICROS = 25_000;
const MICROS_PER_CREDIT = 10_000;

/** POST /api/v1/{model...}: charged now, whatever comes of it. */
export function answerSubmit(exchange: Exchange, body: Json): void {
  const request_id = newId('r-');
  JOBS.submit(request_id, body, exchange.behaviour);
  const told = costOf(exchange.behaviour, false);
  send(exchange, told, { request_id, status: 'processing', ...costBody(told) });
}

/** GET /api/v1/predictions/{id}/result: each poll tells the cost again. */
export function answerResult(exchange: Exchange): void {
  const id = exchange.params.id ?? '';
  const job = JOBS.poll(id);
  if (!job) {
    sendJson(exchange, 404, muapiStatusError(404, 'Prediction not found'));
    return;
  }
  const { behaviour, done } = job;
  const failed = behaviour.failed || behaviour.refunded;
  const told = costOf(behaviour, done && behaviour.refunded);
  const state = !done
    ? { status: 'processing', outputs: [] }
    : failed
      ? { status: 'failed', outputs: [], error: 'The model could not make it.' }
      : { status: 'completed', outputs: [`https://cdn.example/${id}.png`] };
  send(exchange, told, { id, ...state, ...costBody(told) });
}

interface Cost {
  amount_usd: number;
  amount_credits: number;
  bonus_credits_used: number;
  refunded: boolean;
}

/** Null where no cost is told. */
function costOf({ cost, nousage }: Behaviour, refunded: boolean): Cost | null {
  const micros = cost ?? USUAL_MICROS;
  if (nousage) return null;
  return {
    amount_usd: micros / 1_000_000,
    amount_credits: Math.ceil(micros / MICROS_PER_CREDIT),
    bonus_credits_used: 0,
    refunded,
  };
}

function costBody(cost: Cost | null): Json {
  return cost === null ? {} : { cost };
}

function send(exchange: Exchange, cost: Cost | null, body: Json): void {
  const headers: Headers = cost
    ? {
        'x-muapi-cost-usd': cost.amount_usd,
        'x-muapi-cost-credits': cost.amount_credits,
        'x-muapi-cost-bonus-credits': cost.bonus_credits_used,
        'x-muapi-cost-refunded': String(cost.refunded),
      }
    : {};
  sendJson({ ...exchange, headers: { ...exchange.headers, ...headers } }, 200, body);
}

const MODELS = ['flux-dev-image', 'mmaudio-v2/text-to-audio'];

/** GET /api/v1/models: the list that an allow-list and prices are made from. */
export function answerModels(exchange: Exchange): void {
  sendJson(exchange, 200, MODELS.map(model));
}

function model(name: string): Json {
  return {
    name,
    cost: USUAL_MICROS / 1_000_000,
    cost_currency: 'USD',
    cost_strategy: 'fixed_cost',
    dynamic_pricing: false,
    endpoint: `/api/v1/${name}`,
    estimate_endpoint: null,
  };
}
