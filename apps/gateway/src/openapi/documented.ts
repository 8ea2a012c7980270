import { SetMetadata } from '@nestjs/common';
import type { ErrorCode } from '@vendo/errors';
import type { z } from 'zod';

/** One kind of credential, as OpenAPI names it. */
export interface SecurityScheme {
  type: 'http';
  scheme: 'bearer';
  bearerFormat?: string;
  description: string;
}

/** What all routes of a controller have in common. */
export interface ApiDoc {
  tag: string;
  /** Any one of them opens the routes. */
  security: Record<string, SecurityScheme>;
  /** The body of an error with one of these codes. */
  errorBody(codes: readonly [ErrorCode, ...ErrorCode[]]): z.ZodType;
  /** What every route of it may answer beside its own refusals. */
  refuses: readonly ErrorCode[];
}

/** The declaration of one route: what it takes, by the schemas that its handler reads with, and everything that it can answer. */
export interface RouteDoc {
  summary: string;
  description?: string;
  path?: z.ZodObject;
  query?: z.ZodObject;
  headers?: z.ZodObject;
  body?: z.ZodType;
  /** The one answer that is no refusal; `body` null: none. */
  answer: { status: number; body: z.ZodType | null };
  refuses?: readonly ErrorCode[];
  /** Opened by some of the API's credentials only; empty: by none, for everybody. */
  security?: readonly string[];
}

const API = Symbol('ApiDoc');
const ROUTE = Symbol('RouteDoc');

/** On a controller: its handlers are in the OpenAPI document. */
export const DocumentedApi = (api: ApiDoc): ClassDecorator => SetMetadata(API, api);

/** On a handler: its declaration. */
export const Documented = (route: RouteDoc): MethodDecorator => SetMetadata(ROUTE, route);

export function apiDocOf(controller: object): ApiDoc | undefined {
  return Reflect.getMetadata(API, controller) as ApiDoc | undefined;
}

export function routeDocOf(handler: object): RouteDoc | undefined {
  return Reflect.getMetadata(ROUTE, handler) as RouteDoc | undefined;
}
