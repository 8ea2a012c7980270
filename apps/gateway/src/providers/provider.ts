import type { ErrorDetails, ErrorResponse } from '@vendo/errors';
import type { Meter } from '@vendo/events';
import type { Micros, Rational } from '@vendo/money';
import type { Quantity } from '@vendo/pricing';
import type { z } from 'zod';
import type { PriceFeed } from './price-feed.js';
import type { Signs } from './signs.js';
import type { OutputFloor } from './token-floor.js';

/**
 * What a provider's folder declares; no I/O: the walk (proxy/) does all of it. Every folder has the same files:
 * `<slug>.provider.ts` (this object), `.routes.ts`, `.request.ts`, `.usage.ts`, `.models.ts`, `.spec.ts`, `fixtures/`;
 * beside them, where a topic changes together, `<slug>.<topic>.ts` and its spec (CONTRIBUTING.md).
 */
export interface Provider {
  readonly slug: string;
  /** Origin of the real provider. */
  readonly upstream: string;
  /** What its SDKs read from the environment; its page (docs/providers) names each. */
  readonly variables: SdkVariables;
  /** `false`: an account of the operator's that tenants share makes no sense, and none can be configured. */
  readonly pool?: false;
  /** The largest hold for one call. */
  readonly holdCeiling: Micros;
  /** Default-deny: only listed (method, path) pairs are forwarded. */
  readonly routes: readonly Route[];
  /**
   * The target that routes are matched on and that is forwarded, where it is not the one that came: a prefix that the
   * provider's SDK leaves out, or the place of a credential in the path, emptied. Absent: as it came.
   */
  target?(raw: string): string;
  /** Absent: the provider publishes no prices that a program could read. */
  readonly feed?: PriceFeed;
  /** Puts the real credential in; every client credential is out already. */
  authorize(outgoing: Outgoing, secret: string): void;
  /** Headers of its own that are about accounts; no call to any provider lets them through. */
  readonly accountHeaders?: AccountHeaders;
  /** Connections to a part of the operator's account here; absent: there are none. */
  readonly managedPart?: ManagedPart;
  /**
   * Whether an error answer (status 400 and up) says that the account itself has no money or quota left, which is the
   * operator's matter where the account is. `body` is its JSON; empty where it is none. Never throws on foreign input.
   * Absent: the provider has no such answer.
   */
  outOfFunds?(status: number, body: Readonly<Record<string, unknown>>): boolean;
  /**
   * What rates call a tier at a host of the provider where some prices differ from those elsewhere; null: no prices do.
   * Where a model has none in it, that of the tier itself counts. Absent: all hosts cost the same.
   */
  tierAt?(host: string, tier: string): string | null;
  /** Names under which a model may be priced, in the order to try: exact, then snapshot, alias and prefix forms. */
  rateKeys(model: string): readonly string[];
  /** How the ends of jobs are learned; absent: no route starts any. */
  readonly jobs?: ProviderJobs;
  /** How it is learned that a charge was given back; absent: none ever is. */
  readonly refunds?: ProviderRefunds;
}

export interface SdkVariables {
  /** Of the key, all of them: which one wins is the SDK's matter. Where no SDK reads one, the name that programs use. */
  readonly keys: readonly [string, ...string[]];
  /** Of the base URL, and what that has behind the address of the proxy. Absent: no SDK reads one, it is told in code. */
  readonly baseUrl?: { readonly name: string; readonly path: string };
}

export interface ProviderRefunds {
  /** Whether a 2xx answer about an object says that what it cost was given back. Never throws on foreign input. */
  isRefunded(json: unknown, headers: Headers, objectId: string): boolean;
}

/** Work that goes on after the answer that took it, and whose cost only a later answer tells. */
export interface ProviderJobs {
  /** The meters of a report. */
  readonly needs: readonly Meter[];
  /** The path that is asked for a job's report; the answer is JSON. Absent: none can be asked for afterwards. */
  pollPath?(upstreamId: string): string;
  /** What a 2xx answer to that, or to a job's question, says of the job. `source` as of `UsageMeter.onBody`. Never throws on foreign input. */
  read(json: unknown, job: StartedJob, source?: Buffer): JobReport;
}

/** What is known of a job from its beginning. */
export interface StartedJob {
  upstream_id: string;
  /** As `MeteredRequest.job` says. */
  tier: string;
}

/** `failed`: it has ended, and the provider bills nothing. */
export type JobReport = { state: 'running' } | { state: 'done'; reading: Reading } | { state: 'failed' };

/** Names in lower case; one that ends in `*` stands for all that begin so. */
export interface AccountHeaders {
  /** Of a request: credentials beside the usual places, and who is billed or asked for. */
  readonly sent?: readonly string[];
  /** Of an answer: what tells about the account behind us, or leads around us. */
  readonly answered?: readonly string[];
}

/** A profile of connections whose key is the pool's, and which store whose part of its account they are. */
export interface ManagedPart {
  readonly profile: string;
  /** What such a connection stores. */
  readonly stored: z.ZodType<object>;
}

/** What is about to be sent. Header names are lower case. */
export interface Outgoing {
  path: string;
  headers: Record<string, string>;
}

/**
 * One route that may be forwarded. `path` is a pattern on the raw path, without query. `:name` stands for one id, up to
 * what follows it in its segment (`/v1beta/models/:model:generateContent`), `*name` for the rest of the path.
 */
export type Route = FreeRoute | MeteredRoute;

export interface FreeRoute {
  readonly class: 'free';
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly name: string;
  /** The body is a file: it is forwarded while it comes, with a limit of its own. */
  readonly upload?: boolean;
  /** As of a metered request; here the path names them. */
  readonly accountObjects?: readonly string[];
  /** The named part of the path that is the id of a stored object, as of `MeteredRequest.storedObjects`. */
  readonly object?: string;
  /** The answer tells of the job that `object` names, or of the refund of what it cost. */
  readonly reports?: true;
  /** As `MeteredRequest.accountObjects`, of a body that is not read otherwise. Throws VendoError `invalid_body`. */
  accountObjectsIn?(body: Buffer): readonly string[];
  /** As `MeteredRequest.storedObjects`, likewise. */
  storedObjectsIn?(body: Buffer): readonly StoredObject[];
}

export interface MeteredRoute {
  readonly class: 'metered';
  readonly method: 'POST';
  readonly path: string;
  /** Shown as `route` on usage events, e.g. `chat.completions`. */
  readonly name: string;
  /** Reads what the walk needs from the request; a form takes a while. Throws (or rejects with) VendoError `invalid_body`. */
  read(request: RouteRequest): MeteredRequest | Promise<MeteredRequest>;
  /** A route of our own, whose answers are not the provider's bytes; absent: they are. */
  readonly answers?: OwnAnswers;
}

/** What the client of a route of our own gets. Never throws on foreign input. */
export interface OwnAnswers {
  /** JSON for a whole answer of the provider, whose status stays. */
  answer(status: number, body: Buffer): Buffer;
  /** For a refusal of ours. */
  refusal(body: ErrorResponse['body']): object;
}

/** Whose account a connection is, as far as a provider's folder needs to know. */
export interface Account {
  readonly tenantId: string;
  /** The key is the operator's: what is stored behind it is other tenants' as well. */
  readonly isShared: boolean;
  /** What the connection stores of the tenant's part of a shared account, as JSON text; null: nothing. */
  readonly part: string | null;
}

/** A request as its route reads it. */
export interface RouteRequest {
  readonly body: Buffer;
  /** The named parts of the path, as they came. */
  readonly params: Readonly<Record<string, string>>;
  /** Decoded; credentials are out. */
  readonly query: URLSearchParams;
  /** '' when there is none. */
  readonly contentType: string;
}

/** A metered request as its route reads it. */
export interface MeteredRequest {
  readonly model: string;
  readonly stream: boolean;
  /** The tier that the request asks for, as rates name it. */
  readonly tier: string;
  /** The bytes to forward: the client's own, or a rewritten copy when something had to be asked for. */
  readonly body: Buffer;
  /** Where the request goes, where that is not its own target. */
  readonly path?: string;
  /**
   * The bytes to forward on this account, where they depend on it: fields that choose whose account is used are the
   * connection's to say. Absent: `body`. Throws VendoError.
   */
  bodyFor?(account: Account): Buffer;
  /** Which of the app's connections will do; absent: its oldest. */
  readonly binding?: NeededBinding;
  readonly bound: CostBound;
  /** The meters without whose price the call is refused; absent: input and output tokens. */
  readonly needs?: readonly Meter[];
  /**
   * Body fields that name objects stored in the provider's account (`previous_response_id`, file ids, ..). On the
   * managed pool, whose account tenants share, such a call must be refused; absent or empty: none.
   */
  readonly accountObjects?: readonly string[];
  /** Stored objects whose ids are known; on an account that tenants share, each must have come from an answer to this tenant. */
  readonly storedObjects?: readonly StoredObject[];
  /** The answer's own id (`Reading.upstreamId`) is that of an object that stays in the account, and may be named later. */
  readonly stores?: boolean;
  /** The answer takes a job on, and names it (`Reading.upstreamId`): what it costs is told later. */
  readonly job?: JobTerms;
  /** Other names that the answer may be priced under beside the model; the call is refused unless each has a price. */
  readonly extras?: readonly string[];
  /** What may be charged beside the model, each at a price of its own only; the call is refused unless each has it. */
  readonly fees?: readonly Fee[];
  /** The body was rewritten to ask for events, and all of them stay in the client's stream. */
  readonly dropsNothing?: boolean;
  /** A fresh fold over the answer. */
  meter(): UsageMeter;
}

/** A name in the catalogue, and the meter that it is charged by. */
export interface Fee {
  name: string;
  meter: Meter;
}

/** An object that is stored in the provider's account, and the field of the request that names it. */
export interface StoredObject {
  field: string;
  id: string;
}

export interface JobTerms {
  /** How long its hold stays open for its report, milliseconds; at most a day. */
  ttlMs: number;
  /** What its price depends on beside the model, for `ProviderJobs.read`. */
  tier: string;
  /** Only an answer without its final report is a job: what it cost can be asked for. Absent: every answer is one. */
  unreported?: UnreportedTerms;
}

export type UnreportedTerms = {
  /** For so long, milliseconds; then what was counted of it stands. */
  forMs: number;
} & (
  | {
      /** The ids of answers that can be asked for. */
      ids: RegExp;
    }
  | {
      /**
       * No answer can be asked for, but this, while the request is still there: of an answer that came to its end. The
       * body of a POST, JSON; null: there is nothing to ask. Never throws.
       */
      question(): Question | null;
    }
);

/** A question of ours to the provider, which costs nothing. */
export interface Question {
  path: string;
  body: Buffer;
  /** A count above that is not believed. */
  tokensMax: number;
}

/** One provider's connections can be to different accounts behind it. */
export interface NeededBinding {
  /** The oldest that this says yes to is used. */
  suits(account: Account): boolean;
  /** Beside `binding_missing`, where none is. */
  readonly wanted: ErrorDetails;
}

/** What the request can cost at most: `ceiling` when that cannot be known from it (server tools, images, files, URLs, no max output). */
export type CostBound =
  | { kind: 'ceiling' }
  /** Upper bounds, in tokens: all of the input at its dearest input meter, and the output of all choices. */
  | { kind: 'tokens'; input: number; output: number }
  /** Upper bounds in other units, by meter. */
  | { kind: 'units'; units: Readonly<Partial<Record<Meter, number>>> };

/** One server-sent event: `event` is its name ('' when it has none), `data` its joined data lines. */
export interface SseEvent {
  event: string;
  data: string;
}

/** The answer's headers; names are lower case. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** What the walk does with a stream event. */
export interface EventVerdict {
  /** The answer ends with this event: it is released only after usage is priced and spooled. */
  terminal: boolean;
  /** We asked for it and the client did not: it is taken out of the client's stream. */
  drop: boolean;
  /** It cannot be read: what was reported before it stays the newest report. */
  unread?: true;
}

/** Folds one answer into what it costs. Cheap: it parses only events that can carry usage. Never throws on foreign input. */
export interface UsageMeter {
  /** How deep in a body the members are that it reads: of a very large one the others are not kept. Absent: anywhere. */
  readonly depth?: number;
  /** The head of a 2xx answer, before anything of its body. Header names are lower case. */
  onHead?(headers: Headers): void;
  /** Nothing in the body says more than the head: it is not read. */
  readonly isHeadOnly?: true;
  /**
   * The signs of the events that count, from the next one on: all others pass unread. Null or absent: every event is
   * read, for now or to the end.
   */
  readonly signs?: Signs | null;
  /** What every event reports, where each says all that there is to say so far: without a sign only the newest is read. */
  readonly newestOnly?: string;
  /** Takes the output that events carry, when it is asked for; absent: it does not matter. */
  readonly output?: OutputFloor;
  /** The provider bills what it has generated before an error in the answer. Absent: only what it reported of that. */
  readonly billsFailed?: true;
  /** An event of a streamed answer that may count. */
  onEvent(event: SseEvent): EventVerdict;
  /** A whole JSON answer, 2xx only. `source` is its text, or its digest's: numbers there have all their digits. */
  onBody(json: unknown, source?: Buffer): void;
  /** What came of a JSON answer that broke off, one character per byte. */
  onTornBody(text: string): void;
  /** What is reported so far; at the end of the answer, its result. */
  reading(): Reading;
  /**
   * For an answer that ended without its final report: what was reported, and where that says less, the fewest tokens
   * that the request and the output that has passed can be (docs/metering.md). May take as long as parsing the request.
   */
  counted(): Reading;
}

export interface Reading {
  /** The answer's own model, which prices; null: the request's does. */
  model: string | null;
  /** The tier that was billed, as rates name it; null: the request's. */
  tier: string | null;
  /** Disjoint per meter; empty when nothing was reported. */
  quantities: readonly Quantity[];
  /** Tokens of the whole prompt of the call. */
  contextTokens: number;
  /** The provider's own report is complete (`final`), has begun (`partial`), or has said nothing (`none`). */
  state: 'none' | 'partial' | 'final';
  /** Nothing in the answer says that it is over: its report is final only where the answer ends by itself. */
  openEnded?: boolean;
  /**
   * A final report that stood in the head of the answer, or follows from the request once it is accepted (`header`); the
   * provider's count of the request, asked for beside the answer (`counted`); absent: in the body of the answer.
   */
  evidence?: 'header' | 'counted';
  /** The answer carried an error in its body or stream: quantities hold what the provider bills nevertheless. */
  failed: boolean;
  /** The answer's own id in its body. */
  upstreamId: string | null;
  /** Absent or null: the provider does not say. */
  providerUnits?: ProviderUnits | null;
}

/** What the provider says it counted, in a unit of its own that prices nothing by itself, such as credits. */
export interface ProviderUnits {
  /** Has a finite decimal form. */
  quantity: Rational;
  /** What it should have been, where it is not that; null: as it should be, or nobody knows. */
  shouldBe: Rational | null;
}
