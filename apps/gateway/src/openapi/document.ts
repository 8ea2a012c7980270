import { ERRORS, type ErrorCode } from '@vendo/errors';
import { z } from 'zod';
import {
  createDocument,
  type oas31,
  type ZodOpenApiOperationObject,
  type ZodOpenApiResponsesObject,
} from 'zod-openapi';
import type { ApiDoc, RouteDoc } from './documented.js';
import type { Route } from './routes.js';

const JSON_TYPE = 'application/json';

/** A route that has its declaration. */
export interface DocumentedRoute extends Route {
  api: ApiDoc;
  doc: RouteDoc;
}

export function isDocumented(route: Route): route is DocumentedRoute {
  return route.api !== undefined && route.doc !== undefined;
}

/** The OpenAPI 3.1 document of these routes, from the schemas that their handlers read with. */
export function openApiDocument(routes: readonly DocumentedRoute[]): oas31.OpenAPIObject {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const route of routes) {
    paths[route.path] ??= {};
    Object.assign(paths[route.path] ?? {}, { [route.method]: operation(route) });
  }
  return createDocument({
    openapi: '3.1.0',
    info: { title: 'Vendo gateway', version: '1', description: 'The billing API and the operator API.' },
    paths,
    components: { securitySchemes: Object.assign({}, ...routes.map(({ api }) => api.security)) },
  });
}

/** Every answer of a route: status to the schema of its body, null where there is none. */
export function answersOf({ api, doc }: DocumentedRoute): Map<number, z.ZodType | null> {
  const byStatus = Map.groupBy(refusalsOf(api, doc), (code) => ERRORS[code].status);
  return new Map<number, z.ZodType | null>([
    [doc.answer.status, doc.answer.body],
    ...[...byStatus].map(([status, codes]) => [status, api.errorBody(codes as [ErrorCode])] as const),
  ]);
}

function refusalsOf(api: ApiDoc, doc: RouteDoc): ErrorCode[] {
  const open = doc.security?.length === 0;
  const codes = open ? (doc.refuses ?? []) : [...api.refuses, ...(doc.refuses ?? [])];
  // What carries a body can carry a broken one, or one that is too large.
  return [...new Set([...codes, ...(doc.body ? (['invalid_body', 'body_too_large'] as const) : [])])].sort();
}

function operation(route: DocumentedRoute): ZodOpenApiOperationObject {
  const { api, doc } = route;
  const parameters = { path: doc.path, query: doc.query, header: doc.headers };
  return {
    tags: [api.tag],
    summary: doc.summary,
    ...(doc.description ? { description: doc.description } : {}),
    operationId: `${route.method} ${route.path}`,
    security: (doc.security ?? Object.keys(api.security)).map((name) => ({ [name]: [] })),
    requestParams: Object.fromEntries(Object.entries(parameters).filter(([, schema]) => schema)),
    ...(doc.body
      ? {
          requestBody: {
            required: !doc.body.safeParse({}).success,
            content: { [JSON_TYPE]: { schema: doc.body } },
          },
        }
      : {}),
    responses: responses(route),
  };
}

function responses(route: DocumentedRoute): ZodOpenApiResponsesObject {
  const entries = [...answersOf(route)].sort(([a], [b]) => a - b);
  return Object.fromEntries(
    entries.map(([status, schema]) => [
      String(status),
      {
        description: descriptionOf(route, status),
        ...(schema ? { content: { [JSON_TYPE]: { schema } } } : {}),
        ...(status === 429
          ? { headers: z.object({ 'Retry-After': z.string().meta({ description: 'Seconds.' }) }) }
          : {}),
      },
    ]),
  );
}

function descriptionOf({ api, doc }: DocumentedRoute, status: number): string {
  if (status === doc.answer.status) return doc.summary;
  const codes = refusalsOf(api, doc).filter((code) => ERRORS[code].status === status);
  return codes.map((code) => `\`${code}\`: ${ERRORS[code].message}`).join(' ');
}
